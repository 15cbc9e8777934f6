
/*
 * What the targets share.  A target is LLVMFuzzerTestOneInput() and checks
 * what must hold for any input; it is linked with libFuzzer to search, and
 * with replay.c to try the corpus.
 */

#ifndef FUZZ_H
#define FUZZ_H


#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>


#define fuzz_assert(condition)                                                \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);   \
            abort();                                                          \
        }                                                                     \
    } while (0)


int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);


#endif /* FUZZ_H */
