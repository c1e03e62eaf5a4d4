-- group: what destroys is destructive and what reads is a read, whatever its class
CASE
  WHEN effect = 'destroy' THEN 'destructive'
  WHEN operation_class = 'authentication' THEN 'other'
  WHEN effect = 'read' AND NOT (operation_class = 'access_control' AND coalesce(http_status, 0) = 201) THEN 'read'
  WHEN operation_class = 'key_read' THEN 'read'
  WHEN operation_class = 'crypto' THEN 'crypto'
  WHEN operation_class = 'key_lifecycle' THEN 'key lifecycle'
  WHEN operation_class = 'access_control' THEN 'access control'
  WHEN operation_class IN ('key_backup', 'key_release', 'hsm_backup', 'hsm_restore', 'security_domain')
    THEN 'backup / domain'
  ELSE 'other'
END AS group_name
