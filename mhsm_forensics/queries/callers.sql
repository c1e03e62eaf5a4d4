-- Who called and from where, as ids and addresses that other logs know, and in which time.
SELECT actor AS caller_id, caller_ip, ip_scope, token_ip, min(time) AS first_time, max(time) AS last_time
FROM events
GROUP BY actor, caller_ip, ip_scope, token_ip
ORDER BY caller_id NULLS FIRST, caller_ip NULLS FIRST, ip_scope NULLS FIRST, token_ip NULLS FIRST
