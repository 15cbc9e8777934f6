
/*
 * Runs a target on files, without libFuzzer: any compiler will do.  Each input
 * is copied to memory of its exact size, so that AddressSanitizer sees a read
 * beyond its end.
 */

#include "fuzz.h"


static int fuzz_replay(const char *path);


int
main(int argc, char *argv[])
{
    int  i;

    for (i = 1; i < argc; i++) {
        if (fuzz_replay(argv[i]) != 0) {
            return EXIT_FAILURE;
        }
    }

    return EXIT_SUCCESS;
}


static int
fuzz_replay(const char *path)
{
    long            size;
    FILE           *file;
    unsigned char  *data;

    file = fopen(path, "rb");

    if (file == NULL || fseek(file, 0, SEEK_END) != 0
        || (size = ftell(file)) < 0)
    {
        perror(path);
        return -1;
    }

    rewind(file);

    data = malloc(size);

    if (data == NULL || fread(data, 1, size, file) != (size_t) size) {
        perror(path);
        return -1;
    }

    fclose(file);

    LLVMFuzzerTestOneInput(data, size);

    free(data);

    return 0;
}
