-- Events as points of a timeline: moment, lane, group, how it ended, whether it is a control act. Lanes and groups are
-- numbered by the tables `lanes` and `kinds`; what has no lane of its own is in the lane :others.
WITH judged AS (
  SELECT
    t,
    @lane,
    -- state: success, accepted, denied, anything else
    CASE outcome WHEN 'success' THEN 0 WHEN 'accepted' THEN 1 WHEN 'denied' THEN 2 ELSE 3 END AS state,
    @control,
    @group
  FROM events
), placed AS (
  SELECT
    t,
    CAST(coalesce(place, :others) AS SMALLINT) AS lane,
    CAST(kind AS TINYINT) AS kind,
    CAST(state AS TINYINT) AS state,
    CAST(control AS TINYINT) AS control
  FROM judged
  LEFT JOIN lanes ON judged.lane IS NOT DISTINCT FROM lanes.name
  JOIN kinds ON judged.group_name = kinds.name
)
SELECT t, lane, kind, state, control
FROM placed
ORDER BY t
