-- Jobs of backups, restores and the security domain: what starts one, and who asks how far one is. No record says which start
-- a job's id is from, and a pre-check is asked for on the same path. Of the security domain there is no id: every question
-- stands for itself.
WITH spans AS (
  SELECT coalesce(hsm, '') AS hsm_name, min(t) AS first_t FROM events GROUP BY coalesce(hsm, '')
), jobs AS (
  SELECT
    *,
    coalesce(job_id, event_id) AS job,
    CASE
      WHEN operation_class = 'hsm_backup' THEN 'backup'
      WHEN operation_class = 'hsm_restore' THEN 'restore'
      WHEN effect = 'export' OR act = 'SecurityDomainBackupStatusGet' OR lower(request_uri) LIKE '%/download%'
        THEN 'download of the security domain'
      ELSE 'upload of the security domain'
    END AS kind,
    CASE
      WHEN operation_class = 'security_domain' AND effect IN ('export', 'change') THEN 1
      WHEN operation_class <> 'security_domain' AND job_id IS NULL
        AND coalesce(act, '') NOT IN ('BackupStatus', 'BackupStatusGet', 'RestoreStatusGet') THEN 1
      ELSE 0
    END AS is_start,
    CASE
      WHEN outcome <> 'success' THEN 0
      WHEN job_id IS NOT NULL OR act IN ('SecurityDomainBackupStatusGet', 'SecurityDomainRestoreStatusGet') THEN 1
      ELSE 0
    END AS is_poll
  FROM events
  WHERE operation_class IN ('hsm_backup', 'hsm_restore', 'security_domain') AND outcome IN ('success', 'accepted', 'unknown')
)
SELECT
  j.kind, j.job, j.job_id, j.is_start, j.t - s.first_t AS since_first, j.event_id, j.time, j.t, j.hsm, j.operation, j.act, j.outcome,
  j.actor, j.principal, j.object_id, j.caller_ip, j.client, j.key, j.key_name
FROM jobs j
JOIN spans s ON s.hsm_name = coalesce(j.hsm, '')
WHERE j.is_start = 1 OR j.is_poll = 1
ORDER BY
  @order
