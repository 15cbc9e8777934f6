package Tournament::Gate;

# Queries that wait for as long as a test likes. Made by
# Tournament::Postgres->gate:
#
#   my $gate = $pg->gate;      from now on tournament_api.state() waits where
#                              the slug begins with "slow" and the gate is shut
#   $gate->shut                queries that come from now on wait
#   $gate->wait_waiting($n)    until at least $n of them do
#   $gate->open                they go on
#   $gate->remove              the function is again what it was
#
# Make it before nginx starts: the function becomes another one.

use strict;
use warnings;

use Tournament::Util qw(poll_until);

my $LOCK = 20_101;


sub new {
    my ($class, $pg) = @_;

    my $self = bless { pg => $pg }, $class;

    my $result = $pg->value(q{
        SELECT pg_get_function_result('tournament_api.state(text)'::regprocedure)
    });

    $pg->psql(<<"END");
        ALTER FUNCTION tournament_api.state(text) RENAME TO state_behind_gate;
        CREATE FUNCTION tournament_api.state(p_slug text) RETURNS $result
        LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = pg_catalog, pg_temp
        AS \$\$
        BEGIN
            IF p_slug LIKE 'slow%' THEN
                PERFORM pg_advisory_xact_lock_shared($LOCK);
            END IF;
            RETURN QUERY SELECT * FROM tournament_api.state_behind_gate(p_slug);
        END
        \$\$;
        GRANT EXECUTE ON FUNCTION tournament_api.state(text) TO PUBLIC;
END

    return $self;
}


# On a session of its own, so that PostgreSQL may be restarted in between.

sub shut {
    my ($self) = @_;

    $self->{session} = $self->{pg}->session;
    $self->{session}->rows("SELECT pg_advisory_lock($LOCK)");

    return $self;
}


sub open {
    my ($self) = @_;

    my $session = delete $self->{session};

    $session->rows("SELECT pg_advisory_unlock($LOCK)");
    $session->close;

    return $self;
}


sub waiting {
    my ($self) = @_;

    return $self->{pg}->value(q{
        SELECT count(*) FROM pg_stat_activity
         WHERE wait_event_type = 'Lock' AND wait_event = 'advisory'
    });
}


sub wait_waiting {
    my ($self, $count) = @_;

    poll_until { $self->waiting >= $count } 20, "$count queries at the gate";

    return $self;
}


sub remove {
    my ($self) = @_;

    $self->{pg}->psql(q{
        BEGIN;
        DROP FUNCTION tournament_api.state(text);
        ALTER FUNCTION tournament_api.state_behind_gate(text) RENAME TO state;
        COMMIT;
    });

    return;
}


1;
