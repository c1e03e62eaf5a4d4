-- What the calls around it leave of an act that its record alone leaves open. A setting is read, then written, within seconds.
-- What answers once more was not removed, and what is not there next time was. A deleted key is asked for in vain, or as a
-- deleted one; one that works on may have been brought back. An HSM that answers in the hour after was not deleted.
WITH calls AS (
  SELECT
    event_id,
    t,
    act,
    object_type,
    http_status,
    lead(http_status) OVER of_object AS next_status,
    lag(t) OVER of_own AS own_before_t,
    lead(t) OVER of_own AS own_after_t
  FROM events
  WHERE http_status IN (200, 201, 404) AND (
    (object_type IN ('role_assignment', 'role_definition', 'setting')
      AND coalesce(assignment_id, role_definition_id, setting) IS NOT NULL)
    OR act LIKE '%EkmConnectionUpdate%' OR act LIKE '%EkmConnectionGet%' OR act LIKE '%EkmConnectionDelete%'
  )
  WINDOW of_object AS (
    PARTITION BY hsm, object_type, assignment_id, role_definition_id, setting
    ORDER BY
      @order
  ), of_own AS (
    PARTITION BY hsm, object_type, setting, actor, http_status
    ORDER BY
      @order
  )
), gone_keys AS (
  SELECT o.event_id
  FROM events o
  JOIN events e ON e.key = o.key AND e.t > o.t
  WHERE o.act = 'KeyDelete|KeyImport' AND o.outcome = 'success'
  GROUP BY o.event_id
  HAVING min(CASE
      WHEN e.object_type = 'key' AND e.http_status IN (404, 409) THEN e.t
      WHEN e.object_type = 'deleted_key' AND e.outcome = 'success' THEN e.t
    END)
    -- another region may answer for a deleted key for six minutes
    < min(CASE WHEN e.object_type = 'key' AND e.outcome = 'success' AND e.t - o.t > 360e6 THEN e.t ELSE 9e18 END)
), answering AS (
  SELECT DISTINCT coalesce(hsm, '') AS hsm_name, CAST(floor(t / 3600e6) AS BIGINT) AS h
  FROM events
  WHERE outcome = 'success' AND operation_class NOT IN ('management', 'network')
), decided AS (
  SELECT
    event_id,
    CASE
      WHEN act = 'SettingUpdate|SettingGet' AND t - own_before_t <= 10e6 THEN 'SettingUpdate'
      WHEN act = 'SettingUpdate|SettingGet' AND own_after_t - t <= 10e6 THEN 'SettingGet'
      WHEN act = 'RoleAssignmentDelete|RoleAssignmentGet' AND next_status IN (201, 404) THEN 'RoleAssignmentDelete'
      WHEN act = 'RoleAssignmentDelete|RoleAssignmentGet' AND next_status = 200 THEN 'RoleAssignmentGet'
      WHEN act = 'RoleDefinitionDelete|RoleDefinitionGet' AND next_status = 404 THEN 'RoleDefinitionDelete'
      WHEN act = 'RoleDefinitionDelete|RoleDefinitionGet' AND next_status = 200 THEN 'RoleDefinitionGet'
      WHEN act = 'EkmConnectionDelete|EkmConnectionUpdate|EkmConnectionGet' AND next_status = 404 THEN 'EkmConnectionDelete'
      WHEN act = 'EkmConnectionDelete|EkmConnectionUpdate|EkmConnectionGet' AND next_status = 200
        THEN 'EkmConnectionUpdate|EkmConnectionGet'
    END AS act
  FROM calls
  WHERE http_status = 200
  UNION ALL
  SELECT event_id, 'KeyDelete' AS act FROM gone_keys
  UNION ALL
  SELECT
    e.event_id,
    CASE
      WHEN e.act LIKE '%|ManagedHsmGet' THEN 'ManagedHsmPut|ManagedHsmPatch|ManagedHsmGet'
      ELSE 'ManagedHsmPut|ManagedHsmPatch'
    END AS act
  FROM events e
  JOIN answering a ON a.hsm_name = coalesce(e.hsm, '') AND a.h = CAST(floor(e.t / 3600e6) AS BIGINT) + 1
  WHERE e.act LIKE 'ManagedHsmDelete|ManagedHsmPut|%' AND e.outcome IN ('success', 'accepted')
)
SELECT
  event_id,
  act,
  CASE
    WHEN act IN ('KeyDelete', 'EkmConnectionDelete') THEN 'destroy'
    WHEN act LIKE '%|%Get' THEN 'change|read'
    WHEN act LIKE '%Get' THEN 'read'
    ELSE 'change'
  END AS effect
FROM decided
WHERE act IS NOT NULL
