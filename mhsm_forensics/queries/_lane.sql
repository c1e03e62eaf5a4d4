-- lane: the value of the column that is asked for
CASE :by
  WHEN 'principal' THEN CASE WHEN actor IS NULL THEN principal ELSE actor END
  WHEN 'caller_ip' THEN caller_ip
  WHEN 'key' THEN key
  WHEN 'operation_class' THEN operation_class
  WHEN 'hsm' THEN hsm
END AS lane
