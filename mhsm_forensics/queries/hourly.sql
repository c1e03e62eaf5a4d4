-- Events per hour, HSM and class of operation, and how many of them were denied.
SELECT
  date_trunc('hour', time) AS hour,
  hsm,
  operation_class,
  count(*) AS events,
  count(CASE WHEN outcome = 'denied' THEN 1 END) AS denied
FROM events
GROUP BY date_trunc('hour', time), hsm, operation_class
ORDER BY hour, hsm NULLS FIRST, operation_class NULLS FIRST
