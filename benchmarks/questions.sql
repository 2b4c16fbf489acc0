-- The usual queries to a charging warehouse, each below its name.

-- kWh by month and station
SELECT month, vendor, station_id, sum(energy_kwh) AS kwh
FROM fact_energy GROUP BY month, vendor, station_id ORDER BY month, kwh DESC;

-- kWh by month, vendor and location
SELECT energy.month, energy.vendor, location.name, location.city, sum(energy.energy_kwh) AS kwh
FROM fact_energy AS energy
LEFT JOIN dim_location AS location
    ON location.vendor = energy.vendor AND location.location_id = energy.location_id AND location.is_current
GROUP BY ALL ORDER BY energy.month, kwh DESC;

-- load curve: average kW by hour of the day, week days and week ends
WITH slot AS (SELECT slot_start_at, sum(energy_kwh) AS kwh FROM fact_energy GROUP BY slot_start_at)
SELECT
    dayofweek(slot_start_at) IN (0, 6) AS is_week_end,
    hour(slot_start_at) AS hour_of_day,
    sum(kwh) / count(DISTINCT CAST(slot_start_at AS DATE)) AS average_kw
FROM slot GROUP BY ALL ORDER BY ALL;

-- peak load: the ten quarter-hours with the most power
SELECT slot_start_at, sum(energy_kwh) * 4 AS kw
FROM fact_energy GROUP BY slot_start_at ORDER BY kw DESC LIMIT 10;

-- load curve of one location in one month
SELECT slot_start_at, sum(energy_kwh) * 4 AS kw
FROM fact_energy
WHERE month = '2026-03'
    AND location_id = (SELECT min(location_id) FROM dim_location WHERE vendor = 'zaptec' AND is_current)
GROUP BY slot_start_at ORDER BY slot_start_at;

-- utilisation: share of each month in which a station was connected
SELECT
    month, vendor, station_id,
    sum(connected_seconds) / (86400 * date_part('day', last_day(CAST(month || '-01' AS DATE)))) AS utilisation
FROM fact_session
WHERE station_id IS NOT NULL
GROUP BY month, vendor, station_id ORDER BY utilisation DESC;

-- idle time by location
SELECT
    vendor, location_id,
    sum(idle_seconds) / 3600 AS idle_hours, sum(idle_seconds) / sum(connected_seconds) AS idle_share
FROM fact_session WHERE idle_seconds IS NOT NULL
GROUP BY vendor, location_id ORDER BY idle_hours DESC;

-- top users of the last three months
SELECT vendor, user_id, count(*) AS sessions, sum(energy_kwh) AS kwh
FROM fact_session
WHERE month >= '2026-02' AND user_id IS NOT NULL
GROUP BY vendor, user_id ORDER BY kwh DESC LIMIT 20;

-- sessions a day, with median energy and length
SELECT
    CAST(started_at AS DATE) AS day, vendor, count(*) AS sessions,
    median(energy_kwh) AS median_kwh, median(connected_seconds) / 3600 AS median_hours
FROM fact_session GROUP BY ALL ORDER BY ALL;

-- arrivals by hour of the week
SELECT dayofweek(started_at) AS day_of_week, hour(started_at) AS hour_of_day, count(*) AS arrivals
FROM fact_session GROUP BY ALL ORDER BY ALL;

-- cost and price by month and currency
SELECT
    month, vendor, currency, sum(cost_amount) AS cost,
    sum(cost_amount) / nullif(sum(energy_kwh) FILTER (cost_amount IS NOT NULL), 0) AS price_per_kwh
FROM fact_session WHERE cost_amount IS NOT NULL GROUP BY month, vendor, currency ORDER BY ALL;

-- what was rejected, and how much of the energy is metered
SELECT 'rejected' AS kind, vendor, reason AS what, count(*) AS number FROM rejected_session GROUP BY ALL
UNION ALL
SELECT 'slots' AS kind, vendor, method AS what, count(*) AS number FROM fact_energy GROUP BY ALL
ORDER BY ALL;
