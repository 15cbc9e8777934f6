
/* What PostgreSQL's errors mean for a query and for its connection. */

#ifndef _TOURNAMENT_ERRORS_H_INCLUDED_
#define _TOURNAMENT_ERRORS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <libpq-fe.h>


/* Whether an error's SQLSTATE begins with those characters. */

ngx_uint_t tournament_errors_sqlstate(const PGresult *error,
    const char *state);


/*
 * Whether a prepared statement cannot be used any more, since the type of its
 * result has changed.
 */

ngx_uint_t tournament_errors_changed(const PGresult *error);


/* Whether the session ended with that error. */

ngx_uint_t tournament_errors_fatal(const PGresult *error);


/*
 * The bytes of a message that go to the log: its first line, since others would
 * look like lines of nginx's own, and so much of it that the rest of the log
 * line fits as well.
 */

#define TOURNAMENT_ERRORS_LINE  1024     /* at most */

size_t tournament_errors_line(const char *message);


#endif /* _TOURNAMENT_ERRORS_H_INCLUDED_ */
