-- The demo tables. The rows are the same in every run and with any number of threads: all
-- randomness is the MD5 of the row number.
CREATE SCHEMA lake.pond;

CREATE TABLE lake.pond.species AS
FROM (VALUES
    (1, 'Mallard', 'Anas platyrhynchos', 1100, 'Least Concern'),
    (2, 'Eurasian teal', 'Anas crecca', 330, 'Least Concern'),
    (3, 'Northern pintail', 'Anas acuta', 850, 'Least Concern'),
    (4, 'Northern shoveler', 'Spatula clypeata', 610, 'Least Concern'),
    (5, 'Gadwall', 'Mareca strepera', 800, 'Least Concern'),
    (6, 'Eurasian wigeon', 'Mareca penelope', 750, 'Least Concern'),
    (7, 'Garganey', 'Spatula querquedula', 380, 'Least Concern'),
    (8, 'Common pochard', 'Aythya ferina', 850, 'Vulnerable'),
    (9, 'Tufted duck', 'Aythya fuligula', 730, 'Least Concern'),
    (10, 'Common goldeneye', 'Bucephala clangula', 900, 'Least Concern'),
    (11, 'Common eider', 'Somateria mollissima', 2100, 'Near Threatened'),
    (12, 'Long-tailed duck', 'Clangula hyemalis', 750, 'Vulnerable'),
    (13, 'Velvet scoter', 'Melanitta fusca', 1700, 'Vulnerable'),
    (14, 'Mandarin duck', 'Aix galericulata', 570, 'Least Concern'),
    (15, 'White-headed duck', 'Oxyura leucocephala', 700, 'Endangered'),
    (16, 'Baer''s pochard', 'Aythya baeri', 800, 'Critically Endangered')
) AS t(id, name, scientific_name, weight_g, status);

CREATE TABLE lake.pond.places AS
FROM (VALUES
    (1, 'Lake Constance', 'Germany', 47.63, 9.37),
    (2, 'Müritz', 'Germany', 53.42, 12.70),
    (3, 'Chiemsee', 'Germany', 47.89, 12.46),
    (4, 'Steinhuder Meer', 'Germany', 52.47, 9.33),
    (5, 'Alster', 'Germany', 53.57, 10.01),
    (6, 'Lake Geneva', 'Switzerland', 46.45, 6.55),
    (7, 'Lake Neuchâtel', 'Switzerland', 46.90, 6.85),
    (8, 'Neusiedler See', 'Austria', 47.83, 16.75),
    (9, 'Lake Balaton', 'Hungary', 46.83, 17.73),
    (10, 'Lake Garda', 'Italy', 45.65, 10.67),
    (11, 'Lake Trasimeno', 'Italy', 43.13, 12.10),
    (12, 'Étang de Vaccarès', 'France', 43.53, 4.57),
    (13, 'Lac du Der', 'France', 48.57, 4.76),
    (14, 'IJsselmeer', 'Netherlands', 52.82, 5.37),
    (15, 'Vondelpark', 'Netherlands', 52.36, 4.87),
    (16, 'Oostvaardersplassen', 'Netherlands', 52.45, 5.36),
    (17, 'Serpentine', 'United Kingdom', 51.51, -0.17),
    (18, 'Rutland Water', 'United Kingdom', 52.65, -0.66),
    (19, 'Slimbridge', 'United Kingdom', 51.74, -2.41),
    (20, 'Loch Leven', 'United Kingdom', 56.20, -3.38),
    (21, 'Lough Neagh', 'United Kingdom', 54.62, -6.40),
    (22, 'St Stephen''s Green', 'Ireland', 53.34, -6.26),
    (23, 'Mývatn', 'Iceland', 65.60, -17.00),
    (24, 'Tjörnin', 'Iceland', 64.14, -21.94),
    (25, 'Lake Mjøsa', 'Norway', 60.70, 11.00),
    (26, 'Lake Hornborga', 'Sweden', 58.32, 13.55),
    (27, 'Lake Tåkern', 'Sweden', 58.35, 14.82),
    (28, 'Lake Saimaa', 'Finland', 61.25, 28.25),
    (29, 'Lake Peipus', 'Estonia', 58.68, 27.48),
    (30, 'Lake Śniardwy', 'Poland', 53.76, 21.72),
    (31, 'Lake Skadar', 'Montenegro', 42.17, 19.31),
    (32, 'Lake Kerkini', 'Greece', 41.20, 23.13),
    (33, 'Laguna de Gallocanta', 'Spain', 40.97, -1.50),
    (34, 'Albufera', 'Spain', 39.33, -0.35),
    (35, 'Lake Burdur', 'Türkiye', 37.73, 30.18),
    (36, 'Poyang Lake', 'China', 29.08, 116.28),
    (37, 'Baiyangdian', 'China', 38.93, 115.97),
    (38, 'Lake Biwa', 'Japan', 35.27, 136.08),
    (39, 'Ueno Park', 'Japan', 35.71, 139.77),
    (40, 'Lake Khanka', 'Russia', 44.92, 132.42)
) AS t(id, name, country, lat, lon);

-- Sightings of each species per thousand sightings, in the cold and in the warm months.
CREATE TEMP TABLE shares AS
FROM (VALUES
    (1, 240, 330), (2, 110, 70), (3, 55, 20), (4, 60, 70), (5, 60, 90), (6, 110, 25),
    (7, 0, 70), (8, 60, 80), (9, 120, 140), (10, 65, 20), (11, 50, 45), (12, 25, 2),
    (13, 20, 4), (14, 20, 27), (15, 4, 6), (16, 1, 1)
) AS t(species_id, cold, warm);

-- A thousand slots for each half of the year, so that a number from 0 to 999 selects a species.
CREATE TEMP TABLE slots AS
SELECT is_cold, species_id,
    row_number() OVER (PARTITION BY is_cold ORDER BY species_id, n) - 1 AS slot
FROM (
    SELECT true AS is_cold, species_id, unnest(range(cold)) AS n FROM shares
    UNION ALL
    SELECT false, species_id, unnest(range(warm)) FROM shares
);

-- Days with their range of the million sightings: more in winter and on weekends.
CREATE TEMP TABLE days AS
WITH weighed AS (
    SELECT day::DATE AS day, month(day) NOT BETWEEN 4 AND 9 AS is_cold,
        [14, 13, 12, 9, 6, 5, 4, 5, 8, 11, 13, 14][month(day)]
            * if(isodow(day) >= 6, 3, 2) AS weight
    FROM range(DATE '2024-01-01', DATE '2026-01-01', INTERVAL 1 DAY) AS t(day)
), summed AS (
    SELECT *, sum(weight) OVER (ORDER BY day) AS until, sum(weight) OVER () AS whole
    FROM weighed
)
SELECT day, is_cold, (until - weight) * 1000000 // whole AS first, until * 1000000 // whole AS past
FROM summed;

-- One of the four 16-bit parts of a 64-bit number.
CREATE TEMP MACRO part(number, which) AS
    ((number >> (16 * which)::UBIGINT) & 65535::UBIGINT)::BIGINT;

-- Most sightings are in the morning, by a few observers. Each species prefers some places, and the
-- rarest species occurs only in Asia.
CREATE TABLE lake.pond.sightings AS
WITH numbered AS (
    SELECT day, is_cold, unnest(range(first::BIGINT, past::BIGINT)) AS n FROM days
), chances AS (
    SELECT *, md5_number_lower(n::TEXT) AS low, md5_number_upper(n::TEXT) AS high FROM numbered
), seen AS (
    SELECT n, month(day) AS month, species_id,
        day + to_seconds(5 * 3600 + least(part(low, 0), part(low, 1)) * 50400 // 65536)
            AS seen_at,
        part(low, 3) AS place, part(high, 0) AS flock, part(high, 1) AS who, part(high, 2) AS what
    FROM chances
    JOIN slots USING (is_cold)
    WHERE slot = part(low, 2) * 1000 // 65536
)
SELECT row_number() OVER (ORDER BY seen_at, n) AS id,
    seen_at,
    species_id,
    CASE species_id
        WHEN 16 THEN 36 + place * 5 // 65536
        ELSE 1 + ((place * place * 40 >> 32) + species_id * 7) % 40
    END::INTEGER AS place_id,
    (1 + (
        flock * flock * flock * [60, 60, 50, 35, 20, 15, 15, 20, 30, 45, 55, 60][month] >> 48
    ))::INTEGER AS birds,
    ['Ana', 'Ben', 'Chloé', 'Dmitri', 'Emeka', 'Freja', 'Giulia', 'Hiro', 'Ines', 'Jan', 'Katya',
        'Liam', 'Mei', 'Noor', 'Olga', 'Pablo', 'Quentin', 'Rosa', 'Sven', 'Tomasz', 'Uma', 'Vera',
        'Wei', 'Yusuf'][1 + (who * who * 24 >> 32)] AS observer,
    CASE
        WHEN what < 4000 AND month BETWEEN 5 AND 7 THEN 'with ducklings'
        WHEN what < 1500 AND month IN (1, 2, 12) THEN 'on the ice'
        WHEN what < 300 THEN 'asleep'
        WHEN what < 500 THEN 'ate my sandwich'
        WHEN what > 65000 THEN 'ringed'
        WHEN what > 64800 THEN 'loud'
    END AS note
FROM seen
ORDER BY id;
