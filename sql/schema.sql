-- The tables that ngx_http_tournament_module reads, for development and for
-- who has none.  A site whose application owns these tables needs only
-- install.sql.
--
--     psql -X -v ON_ERROR_STOP=1 -f sql/schema.sql
--
-- Columns, constraints and indexes are those that the application's own
-- migrations make: foreign keys are deferrable and initially deferred, each
-- has an index, and so does a slug, a second time for LIKE.  Running it again
-- changes nothing.
--
--   -v tables_schema=NAME   where the tables go (default: public)

\set ON_ERROR_STOP on
\if :{?tables_schema}
\else
    \set tables_schema public
\endif

BEGIN;

SET LOCAL client_min_messages = warning;

CREATE SCHEMA IF NOT EXISTS :"tables_schema";
SET LOCAL search_path = :"tables_schema";


-- People and teams

-- user_id is the account, in a table of the application's that is not read
CREATE TABLE IF NOT EXISTS user_profile_userprofile (
    id            bigserial    PRIMARY KEY,
    user_id       bigint       NOT NULL UNIQUE,
    display_name  varchar(80)  NOT NULL,
    avatar        varchar(100),
    is_private    boolean      NOT NULL,
    email         varchar(254) NOT NULL,
    phone         varchar(32)  NOT NULL,
    facebook      varchar(200) NOT NULL,
    discord       varchar(100) NOT NULL,
    created_at    timestamptz  NOT NULL
);

CREATE TABLE IF NOT EXISTS teams_team (
    id          bigserial    PRIMARY KEY,
    name        varchar(100) NOT NULL,
    tag         varchar(10)  NOT NULL,
    game        varchar(20)  NOT NULL,
    logo        varchar(100),
    captain_id  bigint
        CONSTRAINT teams_team_captain_id_fk
        REFERENCES user_profile_userprofile (id)
        DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX IF NOT EXISTS teams_team_captain_id_idx
    ON teams_team (captain_id);

CREATE TABLE IF NOT EXISTS teams_teammembership (
    id          bigserial    PRIMARY KEY,
    team_id     bigint       NOT NULL
        CONSTRAINT teams_teammembership_team_id_fk
        REFERENCES teams_team (id)
        DEFERRABLE INITIALLY DEFERRED,
    profile_id  bigint       NOT NULL
        CONSTRAINT teams_teammembership_profile_id_fk
        REFERENCES user_profile_userprofile (id)
        DEFERRABLE INITIALLY DEFERRED,
    role        varchar(16)  NOT NULL,
    status      varchar(16)  NOT NULL,
    joined_at   timestamptz  NOT NULL
);

CREATE INDEX IF NOT EXISTS teams_teammembership_team_id_idx
    ON teams_teammembership (team_id);
CREATE INDEX IF NOT EXISTS teams_teammembership_profile_id_idx
    ON teams_teammembership (profile_id);


-- Tournaments

CREATE TABLE IF NOT EXISTS tournaments_tournament (
    id                 bigserial     PRIMARY KEY,
    name               varchar(255)  NOT NULL,
    slug               varchar(255)  NOT NULL UNIQUE,
    short_description  text,
    game               varchar(20)   NOT NULL,
    status             varchar(16)   NOT NULL,
    banner             varchar(100),
    slot_size          integer,
    reg_open_at        timestamptz,
    reg_close_at       timestamptz,
    start_at           timestamptz,
    end_at             timestamptz,
    entry_fee_bdt      numeric(10,2),
    prize_pool_bdt     numeric(12,2),
    created_at         timestamptz   NOT NULL,
    updated_at         timestamptz   NOT NULL,
    groups_published   boolean       NOT NULL
);

CREATE INDEX IF NOT EXISTS tournaments_tournament_slug_like
    ON tournaments_tournament (slug varchar_pattern_ops);

CREATE TABLE IF NOT EXISTS tournaments_tournamentsettings (
    id                     bigserial    PRIMARY KEY,
    tournament_id          bigint       NOT NULL UNIQUE
        CONSTRAINT tournaments_tournamentsettings_tournament_id_fk
        REFERENCES tournaments_tournament (id)
        DEFERRABLE INITIALLY DEFERRED,
    tournament_type        varchar(2),
    description            text,
    start_at               timestamptz,
    end_at                 timestamptz,
    reg_open_at            timestamptz,
    reg_close_at           timestamptz,
    min_team_size          smallint,
    max_team_size          smallint,
    prize_pool_bdt         integer,
    prize_distribution_text text,
    banner                 varchar(100),
    rules_pdf              varchar(100),
    stream_facebook_url    varchar(200),
    stream_youtube_url     varchar(200),
    discord_url            varchar(200),
    invite_only            boolean,
    auto_check_in          boolean,
    check_in_open_mins     integer,
    check_in_close_mins    integer,
    bkash_receive_number   varchar(32),
    nagad_receive_number   varchar(32),
    rocket_receive_number  varchar(32),
    bank_instructions      text,
    created_at             timestamptz  NOT NULL,
    updated_at             timestamptz  NOT NULL
);

CREATE TABLE IF NOT EXISTS tournaments_schedule (
    id                   bigserial    PRIMARY KEY,
    tournament_id        bigint       NOT NULL UNIQUE
        CONSTRAINT tournaments_schedule_tournament_id_fk
        REFERENCES tournaments_tournament (id)
        DEFERRABLE INITIALLY DEFERRED,
    check_in_open_mins   integer,
    check_in_close_mins  integer,
    reg_open_at          timestamptz,
    reg_close_at         timestamptz,
    start_at             timestamptz,
    end_at               timestamptz
);


-- Registrations

CREATE TABLE IF NOT EXISTS tournaments_registration (
    id                      bigserial    PRIMARY KEY,
    tournament_id           bigint       NOT NULL
        CONSTRAINT tournaments_registration_tournament_id_fk
        REFERENCES tournaments_tournament (id)
        DEFERRABLE INITIALLY DEFERRED,
    user_id                 bigint
        CONSTRAINT tournaments_registration_user_id_fk
        REFERENCES user_profile_userprofile (id)
        DEFERRABLE INITIALLY DEFERRED,
    team_id                 bigint
        CONSTRAINT tournaments_registration_team_id_fk
        REFERENCES teams_team (id)
        DEFERRABLE INITIALLY DEFERRED,
    payment_method          varchar(32)  NOT NULL,
    payment_sender          varchar(32)  NOT NULL,
    payment_reference       varchar(64)  NOT NULL,
    payment_status          varchar(16)  NOT NULL,
    status                  varchar(16)  NOT NULL,
    payment_verified_by_id  bigint,
    payment_verified_at     timestamptz,
    created_at              timestamptz  NOT NULL
);

CREATE UNIQUE INDEX IF NOT EXISTS tournaments_registration_tournament_user
    ON tournaments_registration (tournament_id, user_id)
    WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX IF NOT EXISTS tournaments_registration_tournament_team
    ON tournaments_registration (tournament_id, team_id)
    WHERE team_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS tournaments_registration_tournament_id_idx
    ON tournaments_registration (tournament_id);
CREATE INDEX IF NOT EXISTS tournaments_registration_user_id_idx
    ON tournaments_registration (user_id);
CREATE INDEX IF NOT EXISTS tournaments_registration_team_id_idx
    ON tournaments_registration (team_id);
CREATE INDEX IF NOT EXISTS tournaments_registration_payment_verified_by_id_idx
    ON tournaments_registration (payment_verified_by_id);

CREATE TABLE IF NOT EXISTS tournaments_registrationrequest (
    id             bigserial    PRIMARY KEY,
    tournament_id  bigint       NOT NULL
        CONSTRAINT tournaments_registrationrequest_tournament_id_fk
        REFERENCES tournaments_tournament (id)
        DEFERRABLE INITIALLY DEFERRED,
    team_id        bigint       NOT NULL
        CONSTRAINT tournaments_registrationrequest_team_id_fk
        REFERENCES teams_team (id)
        DEFERRABLE INITIALLY DEFERRED,
    requester_id   bigint       NOT NULL
        CONSTRAINT tournaments_registrationrequest_requester_id_fk
        REFERENCES user_profile_userprofile (id)
        DEFERRABLE INITIALLY DEFERRED,
    captain_id     bigint       NOT NULL
        CONSTRAINT tournaments_registrationrequest_captain_id_fk
        REFERENCES user_profile_userprofile (id)
        DEFERRABLE INITIALLY DEFERRED,
    status         varchar(16)  NOT NULL,
    created_at     timestamptz  NOT NULL,
    expires_at     timestamptz  NOT NULL
);

CREATE INDEX IF NOT EXISTS tournaments_registrationrequest_tournament_id_idx
    ON tournaments_registrationrequest (tournament_id);
CREATE INDEX IF NOT EXISTS tournaments_registrationrequest_team_id_idx
    ON tournaments_registrationrequest (team_id);
CREATE INDEX IF NOT EXISTS tournaments_registrationrequest_requester_id_idx
    ON tournaments_registrationrequest (requester_id);
CREATE INDEX IF NOT EXISTS tournaments_registrationrequest_captain_id_idx
    ON tournaments_registrationrequest (captain_id);

COMMIT;
