
/*
 * JSON as the contract writes it, and the ETag of what was written.
 * One writer serves a worker: a text is good until the next one is begun.
 *
 * The ETag is a hash of the text without what moves by the clock alone
 * (the timestamp and the time left), so that a poller gets 304 while nothing
 * happened, and all nodes agree.  While a time left is shown it also depends
 * on the current half minute, so that no countdown is older than that.
 *
 * Errors (memory) are kept and returned at the end: callers in between need
 * not look.
 */

#ifndef _TOURNAMENT_JSON_H_INCLUDED_
#define _TOURNAMENT_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct tournament_json_s  tournament_json_t;


/* W/"0123456789abcdef" */
#define TOURNAMENT_ETAG_LEN  20


/* The writer's struct is pool's; its buffers are freed by destroy. */

tournament_json_t *tournament_json_create(ngx_pool_t *pool);
void tournament_json_destroy(tournament_json_t *json);


/* Begins a text; what an earlier one left, even half done, is gone. */

void tournament_json_begin(tournament_json_t *json);


/*
 * Ends a text that was derived for the instant now (Unix time, s).  text and
 * etag point into the writer; etag may be NULL: it is not reckoned.  Returns
 * NGX_OK or NGX_ERROR.
 */

ngx_int_t tournament_json_end(tournament_json_t *json, time_t now,
    ngx_str_t *text, ngx_str_t *etag);


void tournament_json_open(tournament_json_t *json);
void tournament_json_close(tournament_json_t *json);
void tournament_json_close_array(tournament_json_t *json);


/* an element of an array */

void tournament_json_element(tournament_json_t *json, const char *value,
    size_t len);


/*
 * Each writes a key, a NUL-terminated constant, and its value.  open_key and
 * open_array are followed by the value's own members and close, close_array.
 * duration, seconds and now are left out of the ETag; 0 s is null.  An
 * instant that the contract's form cannot express is null.  money is a number
 * as the database wrote it, null where it is none; number any other one, as
 * JSON writes it.  In strings, bytes that are not UTF-8 are replaced.
 */

void tournament_json_open_array(tournament_json_t *json, const char *key);
void tournament_json_instant(tournament_json_t *json, const char *key,
    int64_t us);
void tournament_json_money(tournament_json_t *json, const char *key,
    const char *value, size_t len);
void tournament_json_number(tournament_json_t *json, const char *key,
    const char *value, size_t len);

void tournament_json_open_key(tournament_json_t *json, const char *key);
void tournament_json_string(tournament_json_t *json, const char *key,
    const char *value, size_t len);
void tournament_json_word(tournament_json_t *json, const char *key,
    const char *word);
void tournament_json_integer(tournament_json_t *json, const char *key,
    int64_t value);
void tournament_json_bool(tournament_json_t *json, const char *key,
    ngx_uint_t value);
void tournament_json_null(tournament_json_t *json, const char *key);
void tournament_json_duration(tournament_json_t *json, const char *key,
    int64_t seconds);
void tournament_json_seconds(tournament_json_t *json, const char *key,
    int64_t seconds);
void tournament_json_now(tournament_json_t *json, const char *key, time_t now);


/*
 * Members that were written before, without what encloses them: written() has
 * those since begin(), for a text that is not to be ended, and members() adds
 * them to another.  Returns NGX_OK or NGX_ERROR.
 */

ngx_int_t tournament_json_written(tournament_json_t *json, ngx_str_t *text);
void tournament_json_members(tournament_json_t *json, const u_char *text,
    size_t len);


/*
 * Adds len bytes to what the ETag is a hash of, in the place of something that
 * is put into the text when it has ended.
 */

void tournament_json_sum(tournament_json_t *json, const void *data,
    size_t len);


/*
 * What is written holds until that second of Unix time at most; 0: without
 * end.  holds() gives the soonest, or 0.
 */

void tournament_json_until(tournament_json_t *json, int64_t second);
int64_t tournament_json_holds(tournament_json_t *json);


/*
 * A hash of a text that has ended, without what moves by the clock alone;
 * never 0.
 */

uint64_t tournament_json_id(tournament_json_t *json);


/*
 * For who wants a member's value by itself: mark before and after the member
 * is written.  marked() gives the value's place in the text, len 0 where
 * nothing was marked.
 */

void tournament_json_mark(tournament_json_t *json);
void tournament_json_marked(tournament_json_t *json, size_t *start,
    size_t *len);


#endif /* _TOURNAMENT_JSON_H_INCLUDED_ */
