
/*
 * SipHash-2-4 with a 64-bit result: a hash that who does not know the key
 * cannot make collide.  Pure C99: no nginx, no libpq, no allocation.
 *
 * Source: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF",
 * INDOCRYPT 2012.
 */

#ifndef TOURNAMENT_HASH_H
#define TOURNAMENT_HASH_H


#include <stddef.h>
#include <stdint.h>


/* size of a key in bytes; it should come from a good random source */

#define TOURNAMENT_HASH_KEY_LEN  16


/*
 * Hashes len bytes at data.  The same key and bytes give the same value on
 * every machine, whatever its byte order; neither pointer needs an alignment.
 * data may be NULL when len is 0.  Cannot fail, keeps nothing.
 */

uint64_t tournament_hash(const uint8_t key[TOURNAMENT_HASH_KEY_LEN],
    const void *data, size_t len);


#endif /* TOURNAMENT_HASH_H */
