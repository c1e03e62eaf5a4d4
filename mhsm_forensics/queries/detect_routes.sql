-- How the events came.
SELECT DISTINCT route FROM events WHERE route IS NOT NULL ORDER BY route
