import org.flywaydb.core.Flyway;

/** Runs Flyway's commands in turn, with the settings of its environment variables. */
public final class Migrate {
    private Migrate() {}

    public static void main(String[] commands) {
        Flyway flyway = Flyway.configure().envVars().load();
        for (String command : commands) {
            switch (command) {
                case "migrate" -> flyway.migrate();
                case "repair" -> flyway.repair();
                case "clean" -> flyway.clean();
                default -> throw new IllegalArgumentException("no such command: " + command);
            }
        }
    }
}
