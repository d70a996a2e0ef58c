/*
 * pause: the main process of a container that only has to be there.
 *
 * It waits until it is asked to end, and ends at once with exit code 0. That sounds like sleep(1),
 * but the first process of a container, PID 1, is a special one:
 *
 *   - The kernel throws away every signal for PID 1 that PID 1 has not made arrangements for, even
 *     SIGTERM. So all signals are blocked before anything else is done: a blocked signal is kept,
 *     and the program takes it when it is ready. None can be lost between two steps.
 *   - Processes whose parent has died become children of PID 1, which has to collect their exit
 *     codes, or they stay in the process table for ever as zombies. The kernel does that for a
 *     process that ignores SIGCHLD.
 *
 * There is no C library underneath: the program calls the kernel itself (see syscalls.h), so it
 * fits into two pages of memory. Read it from the bottom, where it starts, to the top.
 *
 * Copyright the agtool authors. SPDX-License-Identifier: Apache-2.0
 */
#include "syscalls.h"

/* Its own, and not agtool's: the same source gives the same bytes in every release. */
#define VERSION "1.1.0"

static const char HELP[] =
    "Usage: pause [-t SECONDS] [-i SECONDS]\n"
    "       pause --run pipe|null MARK COMMAND [ARG]...\n"
    "       pause --install DIR | -v | -h\n"
    "\n"
    "Wait, as the main process of a container, until a signal asks to end; then exit with 0.\n"
    "\n"
    "  -t SECONDS     end after that long\n"
    "  -i SECONDS     end after that long without any other process in the container\n"
    "  --run          run COMMAND for agtool debug, which marks the end of its output\n"
    "  --install DIR  copy this program to DIR/pause, and end\n"
    "  -v, --version  print the version, and end\n"
    "  -h, --help     print this, and end\n"
    "\n"
    "Signals that end it: TERM, INT, QUIT, HUP, USR1, USR2, PWR, RTMIN and above; WINCH too,\n"
    "unless it may come from a terminal whose size changes.\n";

enum exit_code { DONE = 0, FAILED = 1, WRONG_USAGE = 2 };

/*
 * The kernel's constants. They have these values on all machines that syscalls.h knows, though
 * not on every machine that Linux runs on.
 */
enum { STDIN = 0, STDOUT = 1, STDERR = 2 };
enum { O_RDONLY = 0, O_WRONLY = 01, O_CREAT = 0100, O_EXCL = 0200, O_NONBLOCK = 04000,
       O_PATH = 010000000, O_CLOEXEC = 02000000 };
enum { AT_FDCWD = -100, F_OK = 0, F_SETFL = 4, CLOCK_MONOTONIC = 1 };
enum { POLLIN = 1, POLLOUT = 4, POLLERR = 8, POLLHUP = 16 };
enum { WNOHANG = 1, WALL = 0x40000000 };
enum { EPERM = 1, ENOENT = 2, ESRCH = 3, EINTR = 4, EAGAIN = 11, EACCES = 13, ENOTDIR = 20,
       EISDIR = 21, EFBIG = 27, ENOSPC = 28, EROFS = 30 };
enum { SIG_SETMASK = 2, SIG_DFL = 0, SIG_IGN = 1 };
enum { SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGILL = 4, SIGTRAP = 5, SIGABRT = 6, SIGBUS = 7,
       SIGFPE = 8, SIGKILL = 9, SIGUSR1 = 10, SIGSEGV = 11, SIGUSR2 = 12, SIGTERM = 15,
       SIGCHLD = 17, SIGWINCH = 28, SIGPWR = 30, SIGSYS = 31 };

/*
 * The kernel's real-time signals are 32 to 64, but C libraries use the first two for their own
 * threads and start SIGRTMIN at 34. So does whoever sends "RTMIN+3" to a container.
 */
enum { SIGRTMIN = 34 };

struct timespec {
    long seconds;
    long nanoseconds;
};

struct pollfd {
    int fd;
    short events;
    short revents;
};

/* What the kernel tells about a signal: 128 bytes, of which two numbers matter here. */
struct siginfo {
    int signal;
    int error;
    int code; /* zero or less: sent by a process; more: by the kernel */
    int rest[29];
};

/* Which signals: bit n - 1 stands for signal n. */
typedef unsigned long long signal_set;
#define BIT(signal) (1ULL << ((signal) - 1))

/* ------------------------------------------------------------------------------------- texts -- */

static unsigned long length_of(const char *text)
{
    unsigned long length = 0;
    while (text[length])
        length++;
    return length;
}

static int equal(const char *a, const char *b)
{
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

/*
 * Writes a text, or gives up, rather than wait for somebody to read: with all signals blocked, a
 * program that hangs in write() could only be killed. A pipe that is ready takes 4 KiB at once.
 * Returns whether all of it was written.
 */
static int print(int fd, const char *text)
{
    struct pollfd file = {.fd = fd, .events = POLLOUT};
    struct timespec do_not_wait = {0, 0};
    long ready = system_call(SYS_ppoll, (long)&file, 1, (long)&do_not_wait, 0, 0);
    if (ready != 1 || !(file.revents & POLLOUT))
        return 0;
    long length = length_of(text);
    return system_call(SYS_write, fd, (long)text, length, 0, 0) == length;
}

/* A line that is put together from parts, to be written at once; what does not fit is left out. */
struct line {
    unsigned long length;
    char text[512];
};

static void append(struct line *line, const char *text)
{
    while (*text && line->length < sizeof line->text - 2) /* room for the line's end and a zero */
        line->text[line->length++] = *text++;
}

/* Says what is wrong with what. Returns the exit code that it is given. */
static enum exit_code complain(enum exit_code code, const char *what, const char *wrong)
{
    struct line line;
    line.length = 0;
    append(&line, "pause: ");
    append(&line, what);
    append(&line, ": ");
    append(&line, wrong);
    line.text[line.length++] = '\n';
    line.text[line.length] = 0;
    print(STDERR, line.text);
    return code;
}

/* --------------------------------------------------------------------------------- --install -- */

/* The errors that happen to a copy, in words: a program without a library has no strerror(). */
static const char *in_words(long error)
{
    switch (-error) {
    case ENOENT:
        return "no such file or directory";
    case EPERM:
    case EACCES:
        return "permission denied";
    case ENOTDIR:
        return "not a directory";
    case EISDIR:
        return "is a directory";
    case EFBIG:
    case ENOSPC:
        return "no space left";
    case EROFS:
        return "read-only file system";
    default:
        return "input/output error";
    }
}

/* Copies what is left in one file to the end of another. Returns zero or the error. */
static long copy(long from, long to)
{
    char block[1024];
    for (;;) {
        long size = system_call(SYS_read, from, (long)block, sizeof block, 0, 0);
        if (size <= 0)
            return size;
        for (long done = 0; done < size;) { /* a write may take less than it was given */
            long n = system_call(SYS_write, to, (long)(block + done), size - done, 0, 0);
            if (n <= 0)
                return n ? n : -ENOSPC;
            done += n;
        }
    }
}

static struct timespec now(void)
{
    struct timespec time = {0, 0};
    system_call(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&time, 0, 0, 0);
    return time;
}

/* Writes a name that no other copy has at this moment: ".pause-" and the nanoseconds in hex. */
static void name_temporary_file(char name[16])
{
    static const char start[] = ".pause-";
    unsigned long number = now().nanoseconds;
    for (int i = 0; i < 7; i++)
        name[i] = start[i];
    for (int i = 7; i < 15; i++, number >>= 4)
        name[i] = "0123456789abcdef"[number & 15];
    name[15] = 0;
}

/* Fills the new file and gives it its name. Returns zero or the error. */
static long finish(long directory, long from, long to, const char *name)
{
    long error = copy(from, to);
    if (!error)
        error = system_call(SYS_fchmod, to, 0755, 0, 0, 0); /* open() is subject to the umask */
    if (!error)
        error = system_call(SYS_fsync, to, 0, 0, 0, 0);
    /* Before the file gets its name: a program that is open for writing cannot be started. */
    long closed = system_call(SYS_close, to, 0, 0, 0, 0);
    if (!error)
        error = closed;
    if (!error)
        error = system_call(SYS_renameat2, directory, (long)name, directory, (long)"pause", 0);
    return error;
}

/*
 * Copies this program to DIR/pause. A scratch image has no cp, but an init container has to bring
 * the program to the others somehow. The copy is made under another name first: whoever starts
 * DIR/pause meanwhile gets the old file or the new one, and never a half.
 */
static enum exit_code install(const char *path)
{
    static const char self[] = "/proc/self/exe"; /* the kernel's link to the running program */
    long from = system_call(SYS_openat, AT_FDCWD, (long)self, O_RDONLY, 0, 0);
    if (from < 0)
        return complain(FAILED, self, in_words(from));
    long directory = system_call(SYS_openat, AT_FDCWD, (long)path, O_PATH, 0, 0);
    if (directory < 0)
        return complain(FAILED, path, in_words(directory));

    char name[16];
    name_temporary_file(name);
    long flags = O_WRONLY | O_CREAT | O_EXCL;
    long to = system_call(SYS_openat, directory, (long)name, flags, 0700, 0);
    if (to < 0)
        return complain(FAILED, path, in_words(to));
    long error = finish(directory, from, to, name);
    if (error) {
        system_call(SYS_unlinkat, directory, (long)name, 0, 0, 0);
        return complain(FAILED, path, in_words(error));
    }
    return DONE;
}

/* ------------------------------------------------------------------------------------- --run -- */

/*
 * Runs a command whose streams go to a client over the network: `agtool debug -- COMMAND`. What
 * stands between the two loses data at the edges. containerd closes a command's stdin as soon as
 * its stdout has ended, so that `sh -c 'cat >file'` would get a part of its input; it may throw
 * away the end of the output when a command ends before a slow client has read it; and nobody
 * tells a command without a terminal that its client has gone. So this program keeps all three
 * streams open for as long as the client needs them:
 *
 *   - Input comes in portions: their length in four bytes, the lowest first, and so many bytes. A
 *     length of zero is the end of COMMAND's stdin, but not of ours. With `null` instead of `pipe`
 *     COMMAND reads /dev/null.
 *   - When COMMAND has ended, MARK is written to stdout and to stderr, and three characters: its
 *     exit code; or, where it could not be run, N (it is not there) or X, and the error's number.
 *   - Then what still comes is read, until the client has read all and closes our stdin.
 *   - If it does that before COMMAND has ended, then it is gone, and COMMAND's process group is
 *     ended: by SIGHUP, and a second later by SIGKILL.
 */

struct input {
    long command;         /* the pipe to the command's stdin; -1 when it takes no more */
    unsigned long length; /* what the four bytes have said so far */
    int length_bytes;     /* how many of them have come */
    unsigned long left;   /* of this portion */
    long from;            /* where the part of the buffer begins that has not been passed on */
    long end;
    char buffer[32 * 1024];
};

/* What SIGCHLD does. struct sigaction starts with the action; the rest, 16 to 24 bytes, is zero. */
static void when_a_child_ends(unsigned long action)
{
    volatile unsigned long all[5] = {action, 0, 0, 0, 0}; /* volatile: no memset() for the zeros */
    system_call(SYS_rt_sigaction, SIGCHLD, (long)all, 0, sizeof(signal_set), 0);
}

static void close_file(long fd)
{
    system_call(SYS_close, fd, 0, 0, 0, 0);
}

static void close_command(struct input *input)
{
    if (input->command >= 0)
        close_file(input->command);
    input->command = -1;
}

/* Passes on what has been read, until all is done or the command's pipe is full. */
static void pass_on(struct input *input)
{
    while (input->from < input->end) {
        if (!input->left) {
            unsigned long byte = (unsigned char)input->buffer[input->from++];
            input->length |= byte << (8 * input->length_bytes++);
            if (input->length_bytes < 4)
                continue;
            input->left = input->length;
            input->length = 0;
            input->length_bytes = 0;
            if (!input->left)
                close_command(input);
            continue;
        }
        long size = input->end - input->from;
        if ((unsigned long)size > input->left)
            size = (long)input->left;
        if (input->command >= 0) {
            long done = system_call(SYS_write, input->command, (long)(input->buffer + input->from),
                                    size, 0, 0);
            if (done == -EAGAIN)
                return;
            if (done < 0)
                close_command(input); /* the command has closed its stdin: the rest is for nobody */
            else
                size = done;
        }
        input->from += size;
        input->left -= size;
    }
    input->from = 0;
    input->end = 0;
}

/* Reads what the client has sent. Returns whether it is still there. */
static int read_input(struct input *input)
{
    input->end = system_call(SYS_read, STDIN, (long)input->buffer, sizeof input->buffer, 0, 0);
    if (input->end > 0) {
        pass_on(input);
        return 1;
    }
    int there = input->end == -EINTR || input->end == -EAGAIN;
    input->end = 0;
    return there;
}

/*
 * Writes the mark and what is known of the end. A pipe that is ready takes 4 KiB at once; a client
 * that is slow is waited for, and one that is gone is not.
 */
static void tell(int fd, const char *mark, const char end[4])
{
    struct line line;
    line.length = 0;
    append(&line, mark);
    append(&line, end);
    struct pollfd files[2] = {{.fd = fd, .events = POLLOUT}, {.fd = STDIN}};
    do
        system_call(SYS_ppoll, (long)files, 2, 0, 0, 0);
    while (!files[0].revents && !files[1].revents);
    if (files[0].revents & POLLOUT)
        system_call(SYS_write, fd, (long)line.text, line.length, 0, 0);
}

static void in_two_digits(char *text, long number)
{
    text[0] = '0' + number / 10 % 10;
    text[1] = '0' + number % 10;
}

/* The value of PATH; where there is none, the one that container runtimes set. */
static const char *search_path(char **environment)
{
    for (; *environment; environment++) {
        const char *text = *environment;
        if (text[0] == 'P' && text[1] == 'A' && text[2] == 'T' && text[3] == 'H' && text[4] == '=')
            return text + 5;
    }
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

static int has_a_slash(const char *name)
{
    for (; *name; name++)
        if (*name == '/')
            return 1;
    return 0;
}

/*
 * Becomes the command. Returns the error if that is not possible, in its lowest byte, and in the
 * next one whether there is such a file.
 */
static long execute(char **command, char **environment)
{
    enum { FOUND = 0x100 };
    const char *path = has_a_slash(*command) ? "" : search_path(environment);
    long result = ENOENT;
    if (!**command)
        return result;
    do {
        struct {
            unsigned long length;
            char text[4096];
        } file;
        file.length = 0;
        const char *parts[3] = {path, "/", *command};
        for (int i = *path ? 0 : 2; i < 3; i++)
            for (const char *c = parts[i]; *c && (i || *c != ':'); c++)
                if (file.length < sizeof file.text - 1)
                    file.text[file.length++] = *c;
        file.text[file.length] = 0;
        while (*path && *path++ != ':')
            ;
        long error = -system_call(SYS_execve, (long)file.text, (long)command, (long)environment, 0,
                                  0);
        long there = system_call(SYS_faccessat, AT_FDCWD, (long)file.text, F_OK, 0, 0);
        if (there == 0 && !(result & FOUND))
            result = error | FOUND;
    } while (*path);
    return result;
}

/* Starts the command; the number of its process. What keeps it from running comes in `failure`. */
static long start(char **command, char **environment, long its_stdin, long *failure,
                  signal_set usual)
{
    int report[2];
    if (system_call(SYS_pipe2, (long)report, O_CLOEXEC, 0, 0, 0) < 0)
        return -1;
#ifdef CLONE_TAKES_FLAGS_SECOND
    long child = system_call(SYS_clone, 0, SIGCHLD, 0, 0, 0);
#else
    long child = system_call(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
    if (child == 0) {
        system_call(SYS_setpgid, 0, 0, 0, 0, 0);
        system_call(SYS_dup3, its_stdin, STDIN, 0, 0, 0);
        system_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&usual, 0, sizeof usual, 0);
        long error = execute(command, environment);
        system_call(SYS_write, report[1], (long)&error, sizeof error, 0, 0);
        for (;;)
            system_call(SYS_exit_group, FAILED, 0, 0, 0, 0);
    }
    close_file(report[1]);
    close_file(its_stdin);
    *failure = 0;
    if (child > 0) {
        system_call(SYS_setpgid, child, child, 0, 0, 0);
        system_call(SYS_read, report[0], (long)failure, sizeof *failure, 0, 0); /* until exec */
    }
    close_file(report[0]);
    return child;
}

/* Ends the command whose client is gone. */
static void end_group(long child, struct pollfd *children)
{
    struct timespec second = {1, 0};
    system_call(SYS_kill, -child, SIGHUP, 0, 0, 0);
    system_call(SYS_ppoll, (long)children, 1, (long)&second, 0, 0);
    system_call(SYS_kill, -child, SIGKILL, 0, 0, 0);
}

/* Waits for the command's end and passes its input on. Returns what wait4() says; -1: no client. */
static int attend(long child, struct input *input)
{
    signal_set children = BIT(SIGCHLD);
    long ended = system_call(SYS_signalfd4, -1, (long)&children, sizeof children, O_CLOEXEC, 0);
    struct pollfd files[3]; /* what would fill it with zeros is a function of a library */
    files[0] = (struct pollfd){.fd = (int)ended, .events = POLLIN};
    for (;;) {
        int status;
        if (system_call(SYS_wait4, child, (long)&status, WNOHANG, 0, 0) == child)
            return status;
        /* While the command does not read, neither do we; but whether the client is gone counts. */
        int full = input->from < input->end;
        files[1] = (struct pollfd){.fd = STDIN, .events = full ? 0 : POLLIN};
        files[2] = (struct pollfd){.fd = full ? (int)input->command : -1, .events = POLLOUT};
        system_call(SYS_ppoll, (long)files, 3, 0, 0, 0);
        if (files[0].revents) {
            char signals[128];
            system_call(SYS_read, ended, (long)signals, sizeof signals, 0, 0);
        }
        if (files[2].revents)
            pass_on(input);
        int gone = full ? files[1].revents & (POLLHUP | POLLERR)
                        : files[1].revents && !read_input(input);
        if (gone) {
            end_group(child, files);
            return -1;
        }
    }
}

__attribute__((noinline)) static int run_command(int with_input, const char *mark, char **command,
                                                 char **environment, signal_set usual)
{
    struct input input;
    input.command = -1;
    input.length = input.left = 0;
    input.length_bytes = 0;
    input.from = input.end = 0;

    when_a_child_ends(SIG_DFL); /* else their exit codes could not be had */
    long its_stdin;
    if (with_input) {
        int ends[2];
        if (system_call(SYS_pipe2, (long)ends, O_CLOEXEC, 0, 0, 0) < 0)
            return complain(FAILED, "pipe2", "there are too many files");
        its_stdin = ends[0];
        input.command = ends[1];
        system_call(SYS_fcntl, ends[1], F_SETFL, O_NONBLOCK, 0, 0);
    } else {
        its_stdin = system_call(SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDONLY | O_CLOEXEC, 0,
                                0);
    }
    long failure;
    long child = start(command, environment, its_stdin, &failure, usual);
    if (child < 0)
        return complain(FAILED, "clone", "there are too many processes");
    int status = attend(child, &input);
    if (status == -1)
        return 128 + SIGHUP;
    close_command(&input);

    char end[4] = {0};
    int code = status & 0x7f ? 128 + (status & 0x7f) : status >> 8 & 0xff;
    if (failure) {
        end[0] = failure & ~0xffL ? 'X' : 'N';
        code = failure & ~0xffL ? 126 : 127;
        in_two_digits(end + 1, failure & 0xff);
    } else {
        end[0] = '0' + code / 100;
        in_two_digits(end + 1, code);
    }
    tell(STDERR, mark, end);
    tell(STDOUT, mark, end);
    while (read_input(&input))
        ;
    return code;
}

/* ----------------------------------------------------------------------------------- waiting -- */

/* Seconds, or 0 for "no limit". */
struct limits {
    long lifetime;
    long idle;
};

/* How often -i looks for other processes. */
enum { LOOK_SECONDS = 1 };

static struct timespec in_seconds(long seconds)
{
    struct timespec time = now();
    time.seconds += seconds;
    return time;
}

/* How long it is until then; the seconds are negative when that has passed. */
static struct timespec until(struct timespec then)
{
    struct timespec start = now();
    struct timespec left = {then.seconds - start.seconds, then.nanoseconds - start.nanoseconds};
    if (left.nanoseconds < 0) {
        left.nanoseconds += 1000000000;
        left.seconds--;
    }
    return left;
}

static struct timespec shorter(struct timespec a, struct timespec b)
{
    if (a.seconds != b.seconds)
        return a.seconds < b.seconds ? a : b;
    return a.nanoseconds < b.nanoseconds ? a : b;
}

/*
 * Whether this container has another process. kill() with -1 means all processes that can be seen,
 * but not PID 1 and not the caller; signal 0 is none, it only asks whether there is anybody.
 */
static int others_exist(void)
{
    return system_call(SYS_kill, -1, 0, 0, 0, 0) != -ESRCH;
}

/*
 * Whether SIGWINCH is a request to end, as Apache's image means it, and not news of a terminal's
 * size. The kernel sends that news itself, and only to processes that have a terminal; a wrapper
 * that has one may pass it on. /dev/tty can be opened by whoever has a terminal; without waiting, since a
 * serial line may have nobody at its other end.
 */
static int cannot_be_a_resize(const struct siginfo *info)
{
    if (info->code > 0)
        return 0;
    long terminal = system_call(SYS_openat, AT_FDCWD, (long)"/dev/tty", O_RDONLY | O_NONBLOCK, 0,
                                0);
    if (terminal < 0)
        return 1;
    system_call(SYS_close, terminal, 0, 0, 0, 0);
    return 0;
}

/*
 * Whether a signal asks to end. An image can name any signal for that (STOPSIGNAL): nginx has
 * QUIT, systemd RTMIN+3, Apache WINCH; LXC sends PWR. What is left out does nothing, above all the
 * signals by which a terminal stops programs: TSTP, TTIN and TTOU.
 */
static int asks_to_end(const struct siginfo *info)
{
    switch (info->signal) {
    case SIGHUP:
    case SIGINT:
    case SIGQUIT:
    case SIGUSR1:
    case SIGUSR2:
    case SIGTERM:
    case SIGPWR:
        return 1;
    case SIGWINCH:
        return cannot_be_a_resize(info);
    default:
        return info->signal >= SIGRTMIN;
    }
}

/*
 * The one loop. Every signal that came, however early, is taken here; there is no moment at which
 * one could arrive unnoticed, as there is between testing a flag and calling pause(). Nothing is
 * written at the end: a full pipe would keep the container from ending.
 */
static enum exit_code wait_for_the_end(const struct limits *limits, signal_set all)
{
    struct timespec end_of_life = in_seconds(limits->lifetime);
    struct timespec end_of_idling = in_seconds(limits->idle);
    int limited = limits->lifetime || limits->idle;

    for (;;) {
        /* Whoever is seen may stay until just before the next look; the idle time starts there. */
        if (limits->idle && others_exist())
            end_of_idling = in_seconds(LOOK_SECONDS + limits->idle);

        struct timespec left = {LOOK_SECONDS, 0};
        if (limits->lifetime)
            left = until(end_of_life);
        if (limits->idle)
            left = shorter(shorter(left, until(end_of_idling)), (struct timespec){LOOK_SECONDS, 0});
        if (left.seconds < 0)
            return DONE;

        struct siginfo info;
        long timeout = limited ? (long)&left : 0; /* none: no limit, and the processor can rest */
        long result = system_call(SYS_rt_sigtimedwait, (long)&all, (long)&info, timeout,
                                  sizeof all, 0);
        if (result > 0 && asks_to_end(&info))
            return DONE;
        /* EAGAIN: the time is over. EINTR: a debugger, or stopped and continued. */
        if (result < 0 && result != -EAGAIN && result != -EINTR)
            return complain(FAILED, "rt_sigtimedwait", "forbidden, or unknown to this kernel");
    }
}

/* ---------------------------------------------------------------------------------- starting -- */

/*
 * Blocks all signals and returns them; `usual` are those that were blocked before. Those that stand for a fault of this program are left as
 * they are: a program that cannot go on should end there and then, and say by what.
 */
static signal_set block_signals(signal_set *usual)
{
    signal_set faults = BIT(SIGILL) | BIT(SIGTRAP) | BIT(SIGABRT) | BIT(SIGBUS) | BIT(SIGFPE)
                        | BIT(SIGSEGV) | BIT(SIGSYS);
    signal_set all = ~faults;
    system_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)usual, sizeof all, 0);
    return all;
}

/*
 * Lets the kernel collect dead children. SIG_IGN rather than the flag SA_NOCLDWAIT: with that the
 * kernel would still send SIGCHLD, and wake this program for nothing.
 */
static void leave_children_to_the_kernel(void)
{
    when_a_child_ends(SIG_IGN);
    /* Those that were dead before, as after `sh -c 'program & exec pause'`. */
    while (system_call(SYS_wait4, -1, 0, WNOHANG | WALL, 0, 0) > 0)
        ;
}

/* Returns a number of seconds, or 0 when the text is none; nine digits are 31 years. */
static long parse_seconds(const char *text)
{
    unsigned long length = length_of(text);
    long seconds = 0;
    if (length > 9)
        return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return 0;
        seconds = seconds * 10 + (*text - '0');
    }
    return seconds;
}

/* Does what the arguments say. They are argv[1] to argv[argc - 1]; a null pointer follows. */
static int run(long argc, char **argv, signal_set all, signal_set usual)
{
    struct limits limits = {0, 0};
    if (argc > 4 && equal(argv[1], "--run")) {
        int with_input = equal(argv[2], "pipe");
        if (!with_input && !equal(argv[2], "null"))
            return complain(WRONG_USAGE, argv[2], "neither pipe nor null; -h lists the options");
        return run_command(with_input, argv[3], argv + 4, argv + argc + 1, usual);
    }
    for (long i = 1; i < argc; i++) {
        const char *option = argv[i];
        if (equal(option, "-v") || equal(option, "--version"))
            return print(STDOUT, "pause " VERSION "\n") ? DONE : FAILED;
        if (equal(option, "-h") || equal(option, "--help"))
            return print(STDOUT, HELP) ? DONE : FAILED;

        int is_lifetime = equal(option, "-t");
        int is_install = equal(option, "--install");
        if (!is_lifetime && !is_install && !equal(option, "-i"))
            return complain(WRONG_USAGE, option, "unknown; -h lists the options");
        const char *value = argv[++i];
        if (!value)
            return complain(WRONG_USAGE, option, "needs a value; -h lists the options");
        if (is_install && argc == 3)
            return install(value);
        if (is_install)
            return complain(WRONG_USAGE, option, "goes with no other option");
        long seconds = parse_seconds(value);
        if (!seconds)
            return complain(WRONG_USAGE, option, "needs whole seconds from 1 to 999999999");
        *(is_lifetime ? &limits.lifetime : &limits.idle) = seconds;
    }
    return wait_for_the_end(&limits, all);
}

/* Called by _start with the address of argc. The kernel ends a process only when it is told to. */
__attribute__((used, noreturn)) void start_c(long *stack)
{
    signal_set usual = 0;
    signal_set all = block_signals(&usual);
    leave_children_to_the_kernel();
    int code = run(stack[0], (char **)(stack + 1), all, usual);
    for (;;)
        system_call(SYS_exit_group, code, 0, 0, 0, 0);
}
