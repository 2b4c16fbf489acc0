-- Both facts, from the tables that dlt has merged. The rules are those of the data dictionary.

-- One row per session of any vendor, in one vocabulary. `series` holds the meter points {at, kwh}.
CREATE OR REPLACE TEMP TABLE session AS
SELECT
    'zaptec' AS vendor,
    id AS session_id,
    TRY_CAST(start_date_time AS TIMESTAMPTZ) AS started_at,
    TRY_CAST(end_date_time AS TIMESTAMPTZ) AS ended_at,
    start_date_time AS given_start,
    TRY_CAST(energy AS DOUBLE) AS energy,
    energy AS given_energy,
    'reported' AS energy_source,
    NULL::DOUBLE AS charging_seconds,
    CASE WHEN aborted THEN 'aborted' ELSE 'completed' END AS status,
    NULL AS vendor_status,
    charger_id AS station_id,
    NULL AS connector_id,
    _zaptec_installations_id AS location_id,
    NULL AS vehicle_id,
    authorized_user ->> 'id' AS user_id,
    token_name AS token_id,
    NULL::DECIMAL(14, 4) AS cost_amount,
    NULL AS currency,
    list_transform(
        CAST(energy_details AS STRUCT("timestamp" TIMESTAMPTZ, energy DOUBLE)[]),
        lambda point: {'at': point."timestamp", 'kwh': point.energy}
    ) AS series,
    end_date_time IS NOT NULL AS is_closed,
    coalesce(voided, false) OR replaced_by_session_id IS NOT NULL AS is_void
FROM raw.zaptec_sessions
UNION ALL BY NAME
SELECT
    'jedlix' AS vendor,
    id AS session_id,
    TRY_CAST(start_time AS TIMESTAMPTZ) AS started_at,
    TRY_CAST(end_time AS TIMESTAMPTZ) AS ended_at,
    start_time AS given_start,
    TRY_CAST(energy_charged AS DOUBLE) AS energy,
    energy_charged AS given_energy,
    'reported' AS energy_source,
    CASE lower(status)
        WHEN 'complete' THEN 'completed' WHEN 'active' THEN 'completed' WHEN 'forceended' THEN 'forced_end'
        ELSE 'unknown'
    END AS status,
    status AS vendor_status,
    charging_location_id AS location_id,
    vehicle_id,
    user_id,
    end_time IS NOT NULL AS is_closed,
    false AS is_void
FROM raw.jedlix_sessions
UNION ALL BY NAME
SELECT
    'greenflux' AS vendor,
    cdr.id AS session_id,
    TRY_CAST(cdr.start_date_time AS TIMESTAMPTZ) AS started_at,
    TRY_CAST(cdr.stop_date_time AS TIMESTAMPTZ) AS ended_at,
    cdr.start_date_time AS given_start,
    TRY_CAST(cdr.total_energy AS DOUBLE) AS energy,
    cdr.total_energy AS given_energy,
    'reported' AS energy_source,
    CASE
        WHEN cdr.total_parking_time IS NOT NULL
            THEN round(greatest(0, cdr.total_time - cdr.total_parking_time) * 3600, 3)
    END AS charging_seconds,
    'completed' AS status,
    station.charge_station_id AS station_id,
    cdr.location ->> '$.evses[0].connectors[0].id' AS connector_id,
    cdr.location ->> 'id' AS location_id,
    cdr.driver_external_id AS user_id,
    coalesce(cdr.token_uid, cdr.auth_id) AS token_id,
    CAST(cdr.total_cost AS DECIMAL(14, 4)) AS cost_amount,
    cdr.currency,
    -- A period lasts until the next one begins, the last one until the session ends.
    list_transform(
        periods,
        lambda period, position: {
            'at': coalesce(periods[position + 1].start_date_time, TRY_CAST(cdr.stop_date_time AS TIMESTAMPTZ)),
            'kwh': coalesce(
                list_sum(list_transform(
                    list_filter(period.dimensions, lambda each: each."type" = 'ENERGY'), lambda each: each.volume
                )),
                0
            )
        }
    ) AS series,
    cdr.stop_date_time IS NOT NULL AS is_closed,
    false AS is_void
FROM (
    SELECT
        *,
        list_sort(CAST(charging_periods AS STRUCT(
            start_date_time TIMESTAMPTZ, dimensions STRUCT("type" VARCHAR, volume DOUBLE)[]
        )[])) AS periods
    FROM raw.greenflux_cdrs
) AS cdr
LEFT JOIN (
    SELECT charge_station_id, unnest(CAST(evses ->> '$[*].uid' AS VARCHAR[])) AS evse_uid
    FROM raw.greenflux_charge_stations
) AS station ON station.evse_uid = cdr.location ->> '$.evses[0].uid'
UNION ALL BY NAME
SELECT
    'smappee' AS vendor,
    CAST(id AS VARCHAR) AS session_id,
    to_timestamp("from" / 1000) AS started_at,
    to_timestamp("to" / 1000) AS ended_at,
    CAST("from" AS VARCHAR) AS given_start,
    CASE WHEN energy IS NULL THEN round(stop_reading - start_reading, 6) ELSE TRY_CAST(energy AS DOUBLE) END AS energy,
    energy AS given_energy,
    CASE WHEN energy IS NULL THEN 'meter_readings' ELSE 'reported' END AS energy_source,
    'completed' AS status,
    status AS vendor_status,
    serial_number AS station_id,
    CAST(connector AS VARCHAR) AS connector_id,
    CAST(_smappee_parks_service_location_id AS VARCHAR) AS location_id,
    CAST(user_id AS VARCHAR) AS user_id,
    rfid AS token_id,
    upper(status) = 'STOPPED' AS is_closed,
    false AS is_void
FROM raw.smappee_sessions;

CREATE OR REPLACE TABLE fact_session AS
SELECT
    vendor, session_id, strftime(started_at, '%Y-%m') AS month, started_at, ended_at,
    epoch_ms(ended_at - started_at) / 1000 AS connected_seconds,
    charging_seconds,
    CASE
        WHEN charging_seconds IS NOT NULL THEN round(greatest(0, connected_seconds - charging_seconds), 3)
    END AS idle_seconds,
    CAST(floor(energy * 1000000 + 0.5) / 1000000 AS DECIMAL(14, 6)) AS energy_kwh,
    CASE WHEN energy IS NOT NULL THEN energy_source END AS energy_source,
    status, vendor_status, station_id, connector_id, location_id, vehicle_id, user_id, token_id, cost_amount, currency
FROM session
WHERE is_closed AND NOT is_void
    AND started_at IS NOT NULL AND ended_at >= started_at
    AND (energy IS NOT NULL OR given_energy IS NULL)
    AND coalesce(energy BETWEEN 0 AND 5000, true)
    AND NOT coalesce(
        epoch_ms(ended_at - started_at) >= 60000 AND energy * 3600000 > 1000 * epoch_ms(ended_at - started_at), false
    );

-- The stretches of a session in which energy flows evenly, times in milliseconds, with each one's share of the energy.
CREATE OR REPLACE TEMP TABLE stretch AS
WITH counted AS (
    SELECT
        vendor, session_id, session.series,
        epoch_ms(session.started_at) AS start_ms,
        epoch_ms(session.ended_at) AS end_ms,
        session.energy
    FROM fact_session JOIN session USING (vendor, session_id)
),
point AS (
    SELECT
        counted.* EXCLUDE (series),
        epoch_ms(point.at) AS at_ms,
        point.kwh,
        sum(point.kwh) OVER so_far AS running,
        sum(point.kwh) OVER whole AS sum_in_all,
        last_value(point.kwh) OVER whole AS last_in_all,
        number
    FROM counted, unnest(series) WITH ORDINALITY AS unnested(point, number)
    WINDOW
        so_far AS (PARTITION BY vendor, session_id ORDER BY point.at, number),
        whole AS (
            PARTITION BY vendor, session_id ORDER BY point.at, number
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        )
),
-- Zaptec gives energy per interval or cumulative energy: the one that comes closer to the session's energy is assumed.
cumulative AS (
    SELECT
        *,
        CASE
            WHEN vendor = 'greenflux' OR abs(sum_in_all - energy) < abs(last_in_all - energy) THEN running
            ELSE kwh
        END AS reached,
        greatest(start_ms, least(at_ms, end_ms)) AS knot_ms
    FROM point
),
followed AS (
    SELECT
        *,
        coalesce(lag(knot_ms) OVER by_time, start_ms) AS from_ms,
        coalesce(lag(reached) OVER by_time, 0) AS reached_before,
        max(reached) OVER (PARTITION BY vendor, session_id) AS reached_in_all
    FROM cumulative
    WINDOW by_time AS (PARTITION BY vendor, session_id ORDER BY at_ms, number)
),
metered AS (
    SELECT * FROM followed
    -- Within 1 % or 10 Wh of the session's energy, and never falling by more than 1 Wh.
    QUALIFY abs(reached_in_all - energy) <= greatest(0.01, energy / 100)
        AND (reached_in_all > 0 OR energy = 0)
        AND min(reached - reached_before) OVER (PARTITION BY vendor, session_id) >= -0.001
)
SELECT
    vendor, session_id, from_ms, knot_ms AS to_ms, energy, 'metered' AS method,
    CASE WHEN reached_in_all = 0 THEN 0 ELSE (reached - reached_before) / reached_in_all END AS share
FROM metered
UNION ALL BY NAME
SELECT vendor, session_id, max(knot_ms) AS from_ms, end_ms AS to_ms, energy, 'metered' AS method, 0 AS share
FROM metered
GROUP BY vendor, session_id, end_ms, energy
HAVING max(knot_ms) < end_ms
UNION ALL BY NAME
SELECT vendor, session_id, start_ms AS from_ms, end_ms AS to_ms, energy, 'even' AS method, 1 AS share
FROM counted ANTI JOIN metered USING (vendor, session_id);

-- A quarter of an hour is 900,000 milliseconds. Each slot is rounded separately, so a session's slots may add up to a
-- few millionths of a kWh more or less than the session.
CREATE OR REPLACE TABLE fact_energy AS
WITH slot AS (
    SELECT
        *,
        unnest(range(from_ms // 900000, greatest(from_ms, to_ms - 1) // 900000 + 1)) AS slot
    FROM stretch
),
filled AS (
    SELECT
        vendor, session_id, slot, any_value(method) AS method,
        sum(energy * share * CASE
            WHEN to_ms = from_ms THEN 1
            ELSE (least(to_ms, (slot + 1) * 900000) - greatest(from_ms, slot * 900000)) / (to_ms - from_ms)
        END) AS kwh
    FROM slot
    GROUP BY vendor, session_id, slot
)
SELECT
    vendor, session_id,
    to_timestamp(slot * 900) AS slot_start_at,
    strftime(to_timestamp(slot * 900), '%Y-%m') AS month,
    station_id, location_id,
    CAST(kwh AS DECIMAL(14, 6)) AS energy_kwh,
    method
FROM filled JOIN fact_session USING (vendor, session_id);
