
/*
 * An LD_PRELOAD that fails allocations of one process, and counts them.  What
 * is to fail stands in a file that TOURNAMENT_FAIL names; whoever writes it
 * need not be a relative.  t/61_memory.t tells what comes of it.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>


/* the file */

typedef struct {
    int64_t  pid;        /* of the process; 0: of none */
    int64_t  first;      /* of its allocations, from 1, that fail */
    int64_t  last;
    int64_t  count;      /* of those that there were */
    int64_t  failed;     /* and that failed */
} failing_t;


static volatile failing_t  *failing;


__attribute__((constructor))
static void
failing_open(void)
{
    int          fd;
    const char  *path;

    path = getenv("TOURNAMENT_FAIL");

    if (path == NULL || (fd = open(path, O_RDWR|O_CLOEXEC)) == -1) {
        return;
    }

    failing = mmap(NULL, sizeof(failing_t), PROT_READ|PROT_WRITE, MAP_SHARED,
                   fd, 0);

    if (failing == MAP_FAILED) {
        _exit(1);
    }

    close(fd);
}


/* whether the allocation that is asked for is one to fail */

static int
failing_now(void)
{
    int64_t  n;

    if (failing == NULL || failing->pid != getpid()) {
        return 0;
    }

    n = __atomic_add_fetch(&failing->count, 1, __ATOMIC_SEQ_CST);

    if (n < failing->first || n > failing->last) {
        return 0;
    }

    __atomic_add_fetch(&failing->failed, 1, __ATOMIC_SEQ_CST);
    errno = ENOMEM;

    return 1;
}


#define failing_real(name)                                                    \
    static __typeof__(&name)  real;                                           \
                                                                              \
    if (real == NULL) {                                                       \
        *(void **) &real = dlsym(RTLD_NEXT, #name);                           \
    }


void *
malloc(size_t size)
{
    failing_real(malloc)

    return failing_now() ? NULL : real(size);
}


void *
calloc(size_t n, size_t size)
{
    failing_real(calloc)

    return failing_now() ? NULL : real(n, size);
}


void *
realloc(void *p, size_t size)
{
    failing_real(realloc)

    return failing_now() ? NULL : real(p, size);
}


int
posix_memalign(void **p, size_t alignment, size_t size)
{
    failing_real(posix_memalign)

    return failing_now() ? ENOMEM : real(p, alignment, size);
}


void *
mmap(void *addr, size_t size, int prot, int flags, int fd, off_t offset)
{
    failing_real(mmap)

    return failing_now() ? MAP_FAILED
                         : real(addr, size, prot, flags, fd, offset);
}
