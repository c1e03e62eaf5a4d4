-- What `entities` says, of requests that are counted already, by what is alike in them.
WITH alike AS (
  SELECT * FROM events
),
@kinds
