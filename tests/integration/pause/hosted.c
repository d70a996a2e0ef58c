/* Starts pause's code in a process with a C library, which the sanitizers need. */
void start_c(long *stack);
int main(int argc, char **argv)
{
    static long stack[4096];
    stack[0] = argc;
    for (int i = 0; i <= argc && i < 4094; i++)
        stack[i + 1] = (long)argv[i];
    start_c(stack);
}
