
/*
 * The little of nginx that the rooms under test ask for, so that they can be
 * linked without it.  Each piece of a pool is an allocation of its own, of the
 * size that was asked for: AddressSanitizer sees a byte beyond it.
 */

#ifndef FUZZ_STUB_H
#define FUZZ_STUB_H


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "fuzz.h"


/* the one pool that there is */

extern ngx_pool_t  fuzz_pool;

/* Frees all that was taken from it. */

void fuzz_pool_reset(void);


/* what was last said about a configuration, NUL behind it */

extern u_char  fuzz_said[4096];


/* an input that is read bit by bit; what is beyond its end is 0 */

typedef struct {
    const u_char  *p;
    const u_char  *last;
} fuzz_input_t;

u_char fuzz_byte(fuzz_input_t *in);

/* The next bytes, len at most.  The rest is as short as the input is. */

ngx_str_t fuzz_bytes(fuzz_input_t *in, size_t len);


#endif /* FUZZ_STUB_H */
