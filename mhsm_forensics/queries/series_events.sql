-- The events of one series from :start_t up to and without :end_t.
SELECT event_id
FROM events
WHERE t >= CAST(:start_t AS BIGINT)
  AND t < CAST(:end_t AS BIGINT)
  AND (NOT :by_hsm OR hsm IS NOT DISTINCT FROM :hsm)
  AND (NOT :by_operation OR operation IS NOT DISTINCT FROM :operation)
  AND (NOT :by_principal OR CASE WHEN actor IS NULL THEN principal ELSE actor END IS NOT DISTINCT FROM :principal)
  AND (NOT :by_caller_ip OR caller_ip IS NOT DISTINCT FROM :caller_ip)
  AND (NOT :by_key OR key IS NOT DISTINCT FROM :key)
ORDER BY
  @order
