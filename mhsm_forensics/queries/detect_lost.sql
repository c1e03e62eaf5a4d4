-- Requests for a key that was deleted and not brought back before: 404 after its deletion. A restore may have brought any back.
WITH readings AS (
  @readings
), acts AS (
  SELECT e.event_id, e.t, coalesce(e.hsm, '') AS hsm_name, e.key, coalesce(r.act, e.act) AS act
  FROM events e
  LEFT JOIN readings r ON r.event_id = e.event_id
  WHERE e.outcome IN ('success', 'accepted')
), gone AS (
  SELECT key, t AS gone_t FROM acts WHERE key IS NOT NULL AND act IN ('KeyDelete', 'KeyPurge')
), back AS (
  SELECT key, t AS back_t
  FROM acts
  WHERE key IS NOT NULL
    AND act IN ('KeyRecover', 'KeyCreate', 'KeyImport', 'KeyRestore', 'SelectiveKeyRestoreCreate', 'ManagedHsmKeyPut')
), restored AS (
  SELECT hsm_name, t AS restored_t FROM acts WHERE key IS NULL AND act IN ('RestoreCreate', 'KeyRestore')
), asked AS (
  SELECT
    e.event_id,
    max(g.gone_t) AS gone_t
  FROM events e
  JOIN gone g ON g.key = e.key AND g.gone_t < e.t
  WHERE e.http_status = 404 AND e.object_type = 'key' AND e.operation_class IN ('crypto', 'key_read')
  GROUP BY e.event_id
)
SELECT
  e.event_id, e.time, e.hsm, e.operation, e.act, e.outcome, e.principal, e.object_id, e.actor, e.caller_ip, e.client, e.key_name,
  e.key
FROM asked a
JOIN events e ON e.event_id = a.event_id
LEFT JOIN back b ON b.key = e.key AND b.back_t > a.gone_t AND b.back_t < e.t
LEFT JOIN restored r ON r.hsm_name = coalesce(e.hsm, '') AND r.restored_t > a.gone_t AND r.restored_t < e.t
WHERE b.back_t IS NULL AND r.restored_t IS NULL
ORDER BY
  @order
