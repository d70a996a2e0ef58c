/*
 * agtool: starts the Python that lies beside it, with that one's own loader and C library.
 *
 *   FOLDER/agtool ARGS...   becomes
 *   FOLDER/lib/loader/agtool --inhibit-cache --library-path FOLDER/lib --argv0 FOLDER/agtool
 *       FOLDER/lib/python -I -S -B FOLDER/lib/start.pyc ARGS...
 *
 * Nothing is said by variables, which the command that agtool runs would inherit. --inhibit-cache:
 * the image's own list of libraries is for another C library. What the image has in LD_PRELOAD
 * (Ruby's have jemalloc there) is for its own programs too: the loader would put it into this one. It
 * goes by another name until agtool starts its command (agtool.core.process.environment). The loader is
 * called agtool because the kernel shows the name of the file that it started. --argv0 is what
 * Python takes for its own path: it finds its library from there, and sys.executable is this
 * program. -I: no variable of Python's and no module of the working directory; -S: nothing of the
 * machine's site-packages; -B: nothing is written beside what is imported.
 *
 * There is no C library underneath, so this one file runs in every image; see pause/syscalls.h.
 *
 * Copyright the agtool authors. SPDX-License-Identifier: Apache-2.0
 */
#include "../pause/syscalls.h"

enum { STDERR = 2, AT_FDCWD = -100, CANNOT_EXECUTE = 126 };
/* What the kernel lets a link say, and as many arguments as fit on a quarter of a small stack. */
enum { PATH_SIZE = 4096, MOST_ARGUMENTS = 65536 };
enum { PATHS = 5 };

static char paths[PATHS][PATH_SIZE + 32];

/* Variables that the loader obeys, and the start of the name under which they are kept. */
static const char *const FOR_LOADER[] = {"LD_PRELOAD=", "LD_AUDIT=", "LD_DEBUG="};
#define KEPT "AGTOOL_KEPT_"

/* What the kept variables may take together; the kernel allows one of them 128 KiB. */
enum { KEPT_SIZE = 512 * 1024 };
static char kept[KEPT_SIZE];

static unsigned long length(const char *text)
{
    unsigned long count = 0;
    while (text[count])
        count++;
    return count;
}

static void say(const char *text)
{
    system_call(SYS_write, STDERR, (long)text, (long)length(text), 0, 0);
}

static _Noreturn void fail(const char *what)
{
    say("agtool: ");
    say(what);
    say("\n");
    for (;;)
        system_call(SYS_exit_group, CANNOT_EXECUTE, 0, 0, 0, 0);
}

/* Two texts as one, in a buffer. */
static char *joined(const char *folder, char *buffer, const char *name)
{
    char *end = buffer;
    while (*folder)
        *end++ = *folder++;
    while (*name)
        *end++ = *name++;
    *end = 0;
    return buffer;
}

static int starts_with(const char *text, const char *start)
{
    while (*start)
        if (*text++ != *start++)
            return 0;
    return 1;
}

/* Give the loader's variables their other name. */
static void keep_from_loader(char **variables)
{
    char *free = kept;
    for (; *variables; variables++)
        for (unsigned i = 0; i < sizeof FOR_LOADER / sizeof *FOR_LOADER; i++) {
            if (!starts_with(*variables, FOR_LOADER[i]))
                continue;
            unsigned long size = sizeof KEPT + length(*variables);
            if (size > (unsigned long)(kept + KEPT_SIZE - free))
                fail("LD_PRELOAD, LD_AUDIT and LD_DEBUG are too long");
            char *renamed = joined(KEPT, free, *variables);
            free += size;
            *variables = renamed;
            break;
        }
}

/* Called by _start with what the kernel put on the stack: argc, argv, a zero, envp. */
_Noreturn void start_c(long *stack);
_Noreturn void start_c(long *stack)
{
    static char self[PATH_SIZE];
    static char *new[MOST_ARGUMENTS + 16];
    long count = stack[0];
    char **arguments = (char **)(stack + 1);
    char **variables = arguments + count + 1;

    long size = system_call(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)self,
                            PATH_SIZE - 1, 0);
    if (size <= 0)
        fail("cannot tell where this program lies: /proc/self/exe cannot be read");
    if (count > MOST_ARGUMENTS)
        fail("there are more than 65536 arguments");
    while (size > 1 && self[size - 1] != '/')
        size--;
    self[size] = 0;

    char **next = new;
    *next++ = joined(self, paths[0], "lib/loader/agtool");
    *next++ = "--inhibit-cache";
    *next++ = "--library-path";
    *next++ = joined(self, paths[1], "lib");
    *next++ = "--argv0";
    *next++ = joined(self, paths[2], "agtool");
    *next++ = joined(self, paths[3], "lib/python");
    *next++ = "-I";
    *next++ = "-S";
    *next++ = "-B";
    *next++ = joined(self, paths[4], "lib/start.pyc");
    for (long i = 1; i < count; i++)
        *next++ = arguments[i];
    *next = 0;
    keep_from_loader(variables);
    system_call(SYS_execve, (long)new[0], (long)new, (long)variables, 0, 0);
    fail("cannot start lib/loader/agtool beside this program: the folder is not whole, or may not "
         "be read, or is for another architecture");
}
