/* Kills the process just before the k-th system call that changes a file, for tests of crashes.
 *
 * Loaded with LD_PRELOAD; crash_arm(k) begins to count, crash_arm(0) only counts; crash_seen() tells how many there were. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long kill_at = -1;
static atomic_long seen = 0;

void crash_arm(long k) { seen = 0; kill_at = k; }
long crash_seen(void) { return seen; }

static void point(void) {
    if (kill_at < 0 || ++seen != kill_at) return;
    kill(getpid(), SIGKILL);
    for (;;) pause();
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = dlsym(RTLD_NEXT, #name)

int rename(const char *from, const char *to) { REAL(int, rename, const char *, const char *); point(); return real(from, to); }
int link(const char *from, const char *to) { REAL(int, link, const char *, const char *); point(); return real(from, to); }
int unlink(const char *path) { REAL(int, unlink, const char *); point(); return real(path); }
int unlinkat(int fd, const char *path, int flags) { REAL(int, unlinkat, int, const char *, int); point(); return real(fd, path, flags); }
int mkdir(const char *path, mode_t mode) { REAL(int, mkdir, const char *, mode_t); point(); return real(path, mode); }
int fsync(int fd) { REAL(int, fsync, int); point(); return real(fd); }

ssize_t write(int fd, const void *bytes, size_t size) {
    REAL(ssize_t, write, int, const void *, size_t);
    struct stat status;
    if (kill_at >= 0 && fd > 2 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) point();
    return real(fd, bytes, size);
}

long syscall(long number, ...) {
    va_list given;
    va_start(given, number);
    long a = va_arg(given, long), b = va_arg(given, long), c = va_arg(given, long);
    long d = va_arg(given, long), e = va_arg(given, long), f = va_arg(given, long);
    va_end(given);
    static long (*real)(long, ...);
    if (!real) real = dlsym(RTLD_NEXT, "syscall");
    if (number == SYS_renameat2) point();
    return real(number, a, b, c, d, e, f);
}
