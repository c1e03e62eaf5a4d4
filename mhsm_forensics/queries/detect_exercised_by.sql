-- What some principals, whose object ids stand in :who parted by blanks, were let do.
SELECT
  coalesce(hsm, '') AS hsm_name, event_id, time, hsm, operation, act, operation_class, effect, outcome, actor, principal, object_id,
  caller_ip, client, key, key_name, scope
FROM events
WHERE outcome IN ('success', 'accepted') AND act IS NOT NULL AND instr(:who, concat(' ', object_id, ' ')) > 0
ORDER BY
  @order
