-- Ids of the events from :start up to and without :end; of one lane, one group, one outcome, only control acts or only
-- others, where these are given.
WITH judged AS (
  SELECT
    t,
    tick,
    evidence_id,
    source_offset,
    source_number,
    event_id,
    @lane,
    -- state: success, accepted, denied, anything else
    CASE outcome WHEN 'success' THEN 0 WHEN 'accepted' THEN 1 WHEN 'denied' THEN 2 ELSE 3 END AS state,
    @control,
    @group
  FROM events
  WHERE t >= :start AND t < :end
)
SELECT event_id
FROM judged
LEFT JOIN lanes ON judged.lane IS NOT DISTINCT FROM lanes.name
JOIN kinds ON judged.group_name = kinds.name
WHERE coalesce(place, :others) = coalesce(:lane, coalesce(place, :others))
  AND kind = coalesce(:kind, kind)
  AND state = coalesce(:state, state)
  AND control = coalesce(:control, control)
ORDER BY
  @order
