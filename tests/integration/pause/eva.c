/*
 * For Frama-C's analysis Eva (`make sanitize`): pause's functions on any text and any answer of the
 * kernel. It shows that no value and no order of events leads to a wrong access or an overflow.
 */
#include "../../../pause/pause.c"

volatile int any;
volatile long any_long;

/* The kernel: any answer, and any time from the start of the machine on. */
long system_call(long number, long a, long b, long c, long d, long e)
{
    if (number == SYS_clock_gettime) {
        struct timespec *time = (struct timespec *)b;
        long seconds = any_long, nanoseconds = any_long;
        if (seconds < 0 || seconds >= 10000000000 || nanoseconds < 0 || nanoseconds >= 1000000000)
            return -1;
        time->seconds = seconds;
        time->nanoseconds = nanoseconds;
        return 0;
    }
    if (number == SYS_exit_group)
        for (;;)
            ;
    return any_long;
}

int main(void)
{
    char text[12];
    for (int i = 0; i < 11; i++)
        text[i] = any;
    text[11] = 0;
    long seconds = parse_seconds(text);
    equal(text, "--install");
    equal("-t", text);
    complain(WRONG_USAGE, text, in_words(any));
    char name[16];
    name_temporary_file(name);
    //@ assert name[15] == 0;
    struct timespec then = in_seconds(seconds);
    struct timespec left = until(then);
    //@ assert 0 <= left.nanoseconds < 1000000000;
    shorter(left, then);
    return 0;
}
