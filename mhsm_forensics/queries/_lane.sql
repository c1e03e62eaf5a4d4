-- lane: the value of the column that is asked for
CASE :by
  WHEN 'principal' THEN principal
  WHEN 'caller_ip' THEN caller_ip
  WHEN 'key_name' THEN key_name
  WHEN 'operation_class' THEN operation_class
  WHEN 'hsm' THEN hsm
END AS lane
