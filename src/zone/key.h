
/*
 * The name of a cache entry: key space, endpoint, and the canonical values of
 * the endpoint's arguments, each ended by a NUL, which no argument contains.
 * The values are the parameters of the endpoint's statement as they stand.
 */

#ifndef _TOURNAMENT_KEY_H_INCLUDED_
#define _TOURNAMENT_KEY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define TOURNAMENT_KEY_MAX     1024  /* bytes */
#define TOURNAMENT_KEY_PREFIX  9     /* space, endpoint */


typedef struct {
    size_t                     len;
    u_char                    *data;
} tournament_key_t;


/*
 * Starts a key in buf, which has TOURNAMENT_KEY_MAX bytes.  space is
 * a hash of the cache version and of the database, so that entries of another
 * one are never found; endpoint is the number that the endpoint has in its
 * table, at most 255.
 */

static ngx_inline void
tournament_key_init(tournament_key_t *key, u_char *buf, uint64_t space,
    ngx_uint_t endpoint)
{
    ngx_memcpy(buf, &space, sizeof(uint64_t));
    buf[sizeof(uint64_t)] = (u_char) endpoint;

    key->data = buf;
    key->len = TOURNAMENT_KEY_PREFIX;
}


/*
 * Appends an argument's canonical value.  Returns NGX_OK, or NGX_ERROR where
 * the key would grow past its limit.
 */

static ngx_inline ngx_int_t
tournament_key_add(tournament_key_t *key, u_char *value, size_t len)
{
    if (len >= TOURNAMENT_KEY_MAX - key->len) {
        return NGX_ERROR;
    }

    /* an absent value is NULL, which memcpy() is not to be given */

    if (len) {
        ngx_memcpy(key->data + key->len, value, len);
    }

    key->len += len;
    key->data[key->len++] = '\0';

    return NGX_OK;
}


#endif /* _TOURNAMENT_KEY_H_INCLUDED_ */
