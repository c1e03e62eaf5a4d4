-- Events from :start up to and without :end, counted per lane, bin of :step microseconds from :base, group and outcome.
SELECT
  lane,
  CAST(floor((t - :base) / (:step * 1e0)) AS INT) AS bin,
  kind,
  state,
  control,
  count(*) AS events,
  min(t) AS first_t,
  max(t) AS last_t
FROM points
WHERE t >= :start AND t < :end
GROUP BY lane, CAST(floor((t - :base) / (:step * 1e0)) AS INT), kind, state, control
ORDER BY lane, bin, kind, state, control
