-- Every value that can be asked about, by its kind: since when, how often, and how it ended. Nulls of a kind that every
-- request has are a value of their own. Requests that are alike in all of it are counted first, once for all the kinds;
-- tokens and correlation ids, of which there may be as many as requests, are no kind here.
WITH alike AS (
  @alike
),
@kinds
