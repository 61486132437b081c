/* Numbers the file-system steps of a process, and ends it or fails it at one of them.

   Preloaded (LD_PRELOAD) into a process that calls steps_arm(). Only what lies under `root` counts, open files without
   a name included. Calls that another thread makes meanwhile count as they come. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum mode { OFF, COUNT, KILL_BEFORE, KILL_AFTER, FAIL_ONCE, FAIL_ON, SIGNAL, VANISH };
enum flags { READS = 1, NO_TMPFILE = 2 };
enum action { GO_ON, FAIL, HALVE, DIE_AFTER };
enum nature { GROWS, CHANGES, READS_ONLY };

static enum mode mode = OFF;
static long wanted;
static int error_number, flags, trace = -1;
static char root[PATH_MAX];
static size_t root_length;
static atomic_long count;

void steps_arm(const char *under, int how, long at, int number, int options, const char *trace_path)
{
    snprintf(root, sizeof root, "%s/", under);
    root_length = strlen(root);
    wanted = at;
    error_number = number;
    flags = options;
    count = 0;
    trace = syscall(SYS_openat, AT_FDCWD, trace_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    mode = how;
}

static void die(void)
{
    for (;;) {
        syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
        pause();
    }
}

/* As somebody who deletes the folder that a file lies in, if it is alone there. */
static void remove_folder(const char *file)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", file);
    syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    *strrchr(path, '/') = 0;
    syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}

static int is_ours(const char *path)
{
    if (mode == OFF || path == NULL || strncmp(path, root, root_length - 1) != 0)
        return 0;
    return path[root_length - 1] == '/' || path[root_length - 1] == 0;
}

static const char *path_of(int descriptor, char *into, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, link, into, size - 1);
    if (length < 0)
        return NULL;
    into[length] = 0;
    return into;
}

/* Where a name relative to an open folder is. */
static const char *path_at(int folder, const char *name, char *into, size_t size)
{
    if (name == NULL || name[0] == '/' || folder == AT_FDCWD || path_of(folder, into, size) == NULL)
        return name;
    size_t length = strlen(into);
    snprintf(into + length, size - length, "/%s", name);
    return into;
}

static enum action step(const char *kind, const char *path, enum nature nature)
{
    if (!is_ours(path) || (nature == READS_ONLY && !(flags & READS)))
        return GO_ON;
    long number = atomic_fetch_add(&count, 1) + 1;
    char line[PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s\t%s\n", kind, path[root_length - 1] ? path + root_length : ".");
    if (trace >= 0 && length > 0)
        syscall(SYS_write, trace, line, (size_t)length);
    if (mode == FAIL_ON) {
        if (number < wanted || (error_number != EIO && nature != GROWS))
            return GO_ON;
        return number == wanted ? HALVE : FAIL;
    }
    if (number != wanted)
        return GO_ON;
    if (mode == KILL_BEFORE)
        die();
    if (mode == SIGNAL)
        syscall(SYS_kill, syscall(SYS_getpid), error_number);
    if (mode == VANISH)
        remove_folder(path);
    return mode == KILL_AFTER ? DIE_AFTER : mode == FAIL_ONCE ? FAIL : GO_ON;
}

static enum action step_fd(const char *kind, int descriptor, enum nature nature)
{
    char path[PATH_MAX];
    if (mode == OFF)
        return GO_ON;
    return step(kind, path_of(descriptor, path, sizeof path), nature);
}

#define REAL(name, ...) \
    static __typeof__(name) *real; \
    if (real == NULL) \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

/* What a call does that has no half. */
#define WHOLE(name, action_of, failed, call) \
    REAL(name); \
    enum action action = action_of; \
    if (action == FAIL || action == HALVE) { \
        errno = error_number; \
        return failed; \
    } \
    __typeof__(call) result = call; \
    if (action == DIE_AFTER) \
        die(); \
    return result

/* Opening. */

static int is_tmpfile(int how)
{
    return (how & O_TMPFILE) == O_TMPFILE;
}

static enum action step_open(const char *path, int how)
{
    if (is_tmpfile(how)) {
        char inside[PATH_MAX];
        snprintf(inside, sizeof inside, "%s/", path);
        return step("tmpfile", inside, GROWS);
    }
    if (how & O_TRUNC)
        return step("truncate", path, CHANGES);
    if (how & O_CREAT)
        return step("create", path, GROWS);
    return step("open", path, READS_ONLY);
}

#define OPENER(name, parameters, folder, file, call) \
    int name parameters \
    { \
        mode_t rights = 0; \
        if ((how & O_CREAT) || is_tmpfile(how)) { \
            va_list rest; \
            va_start(rest, how); \
            rights = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        char buffer[PATH_MAX]; \
        const char *path = path_at(folder, file, buffer, sizeof buffer); \
        if (is_tmpfile(how) && (flags & NO_TMPFILE) && mode != OFF) { \
            errno = EOPNOTSUPP; \
            return -1; \
        } \
        WHOLE(name, step_open(path, how), -1, call); \
    }

OPENER(open, (const char *file, int how, ...), AT_FDCWD, file, real(file, how, rights))
OPENER(open64, (const char *file, int how, ...), AT_FDCWD, file, real(file, how, rights))
OPENER(openat, (int folder, const char *file, int how, ...), folder, file, real(folder, file, how, rights))
OPENER(openat64, (int folder, const char *file, int how, ...), folder, file, real(folder, file, how, rights))

/* Writing. Part of the bytes: before the end of the process, and before a disk is found full. */

#define WRITER(name, parameters, call) \
    ssize_t name parameters \
    { \
        REAL(name); \
        enum action action = step_fd("write", file, GROWS); \
        if (action == FAIL || (action == HALVE && size < 2)) { \
            errno = error_number; \
            return -1; \
        } \
        if (action == HALVE || (action == DIE_AFTER && size > 1)) \
            size /= 2; \
        ssize_t result = call; \
        if (action == DIE_AFTER) \
            die(); \
        return result; \
    }

WRITER(write, (int file, const void *data, size_t size), real(file, data, size))
WRITER(pwrite, (int file, const void *data, size_t size, off_t at), real(file, data, size, at))
WRITER(pwrite64, (int file, const void *data, size_t size, off64_t at), real(file, data, size, at))

ssize_t writev(int file, const struct iovec *parts, int number)
{
    WHOLE(writev, step_fd("write", file, GROWS), -1, real(file, parts, number));
}

/* Reading. */

ssize_t read(int file, void *data, size_t size)
{
    WHOLE(read, step_fd("read", file, READS_ONLY), -1, real(file, data, size));
}

ssize_t pread(int file, void *data, size_t size, off_t at)
{
    WHOLE(pread, step_fd("read", file, READS_ONLY), -1, real(file, data, size, at));
}

ssize_t pread64(int file, void *data, size_t size, off64_t at)
{
    WHOLE(pread64, step_fd("read", file, READS_ONLY), -1, real(file, data, size, at));
}

/* Sending is no step, but what is sent may depend on what is on the disk by then. */

ssize_t send(int file, const void *data, size_t size, int how)
{
    REAL(send);
    if (mode != OFF && trace >= 0)
        syscall(SYS_write, trace, "send\t\n", 6);
    return real(file, data, size, how);
}

/* What an open file is told. */

int fsync(int file) { WHOLE(fsync, step_fd("fsync", file, CHANGES), -1, real(file)); }
int fdatasync(int file) { WHOLE(fdatasync, step_fd("fsync", file, CHANGES), -1, real(file)); }
int ftruncate(int file, off_t size) { WHOLE(ftruncate, step_fd("truncate", file, CHANGES), -1, real(file, size)); }
int ftruncate64(int file, off64_t size) { WHOLE(ftruncate64, step_fd("truncate", file, CHANGES), -1, real(file, size)); }
int fchmod(int file, mode_t to) { WHOLE(fchmod, step_fd("chmod", file, CHANGES), -1, real(file, to)); }
int posix_fallocate(int file, off_t at, off_t size)
{
    WHOLE(posix_fallocate, step_fd("allocate", file, GROWS), error_number, real(file, at, size));
}

void *mmap(void *at, size_t size, int access, int how, int file, off_t from)
{
    int shared = file >= 0 && (how & MAP_SHARED) && (access & PROT_WRITE);
    WHOLE(mmap, shared ? step_fd("map", file, CHANGES) : GO_ON, MAP_FAILED, real(at, size, access, how, file, from));
}

void *mmap64(void *at, size_t size, int access, int how, int file, off64_t from)
{
    int shared = file >= 0 && (how & MAP_SHARED) && (access & PROT_WRITE);
    WHOLE(mmap64, shared ? step_fd("map", file, CHANGES) : GO_ON, MAP_FAILED, real(at, size, access, how, file, from));
}

/* Names. */

int rename(const char *from, const char *to) { WHOLE(rename, step("rename", to, CHANGES), -1, real(from, to)); }
int link(const char *from, const char *to) { WHOLE(link, step("link", to, GROWS), -1, real(from, to)); }
int symlink(const char *to, const char *at) { WHOLE(symlink, step("link", at, GROWS), -1, real(to, at)); }
int unlink(const char *path) { WHOLE(unlink, step("unlink", path, CHANGES), -1, real(path)); }
int rmdir(const char *path) { WHOLE(rmdir, step("rmdir", path, CHANGES), -1, real(path)); }
int mkdir(const char *path, mode_t rights) { WHOLE(mkdir, step("mkdir", path, GROWS), -1, real(path, rights)); }
int chmod(const char *path, mode_t to) { WHOLE(chmod, step("chmod", path, CHANGES), -1, real(path, to)); }

#define AT(folder, name) char buffer[PATH_MAX]; const char *path = path_at(folder, name, buffer, sizeof buffer)

int renameat(int from_folder, const char *from, int folder, const char *to)
{
    AT(folder, to);
    WHOLE(renameat, step("rename", path, CHANGES), -1, real(from_folder, from, folder, to));
}

int renameat2(int from_folder, const char *from, int folder, const char *to, unsigned int how)
{
    AT(folder, to);
    WHOLE(renameat2, step("exchange", path, CHANGES), -1, real(from_folder, from, folder, to, how));
}

int linkat(int from_folder, const char *from, int folder, const char *to, int how)
{
    AT(folder, to);
    WHOLE(linkat, step("link", path, GROWS), -1, real(from_folder, from, folder, to, how));
}

int unlinkat(int folder, const char *name, int how)
{
    AT(folder, name);
    WHOLE(unlinkat, step(how & AT_REMOVEDIR ? "rmdir" : "unlink", path, CHANGES), -1, real(folder, name, how));
}

int mkdirat(int folder, const char *name, mode_t rights)
{
    AT(folder, name);
    WHOLE(mkdirat, step("mkdir", path, GROWS), -1, real(folder, name, rights));
}

int fchmodat(int folder, const char *name, mode_t to, int how)
{
    AT(folder, name);
    WHOLE(fchmodat, step("chmod", path, CHANGES), -1, real(folder, name, to, how));
}
