import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.SQLException;
import org.postgresql.ds.PGSimpleDataSource;

/** HikariCP over pgjdbc: the pool gets a DataSource that reads the mounted Secret at each new connection. */
final class Consumer {
  static final Path FOLDER = Path.of(System.getenv().getOrDefault("DATABASE_DIR", "/var/run/db"));

  /** Asked by HikariCP for each new connection, never for one that it already has. */
  static final class MountedDataSource extends PGSimpleDataSource {
    @Override
    public Connection getConnection() throws SQLException {
      return login().getConnection();
    }

    /** Read from one file, so that host and password belong together even while the Secret is switched. */
    private static PGSimpleDataSource login() throws SQLException {
      URI uri;
      try {
        uri = URI.create(Files.readString(FOLDER.resolve("uri")));
      } catch (IOException | IllegalArgumentException error) {
        throw new SQLException("the mounted Secret cannot be read: " + error.getClass().getSimpleName());
      }
      String[] user = uri.getUserInfo().split(":", 2);
      PGSimpleDataSource now = new PGSimpleDataSource();
      now.setServerNames(new String[] {uri.getHost()});
      now.setPortNumbers(new int[] {uri.getPort()});
      now.setDatabaseName(uri.getPath().substring(1));
      now.setUser(user[0]);
      now.setPassword(user[1]);
      now.setSslMode("verify-full");
      Path ca = FOLDER.resolve("certificates");
      if (Files.exists(ca)) now.setSslRootCert(ca.toString());
      else now.setSslfactory("org.postgresql.ssl.DefaultJavaSSLFactory");
      return now;
    }
  }

  static HikariDataSource openPool() {
    HikariConfig config = new HikariConfig();
    config.setDataSource(new MountedDataSource());
    config.setMinimumIdle(0);
    config.setMaxLifetime(180_000);
    config.setConnectionTimeout(10_000);
    return new HikariDataSource(config);
  }

  /** Runs each line of standard input as SQL, on a new session and on the one that the first line opened. */
  public static void main(String[] arguments) throws Exception {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    HikariDataSource pool = null;
    Connection held = null;
    System.out.println("ready");
    for (String statement = lines.readLine(); statement != null; statement = lines.readLine()) {
      if (held == null) {
        pool = openPool();
        held = pool.getConnection();
      }
      System.out.println("new: " + onNewSession(pool, statement) + ", held: " + query(held, statement));
    }
    System.exit(0);
  }

  private static String onNewSession(HikariDataSource pool, String statement) {
    try (Connection session = pool.getConnection()) {
      String value = query(session, statement);
      pool.evictConnection(session); // so that the next one is new as well
      return value;
    } catch (SQLException error) {
      Throwable cause = error.getCause() == null ? error : error.getCause();
      return "refused (" + cause.getMessage().replace('\n', ' ') + ")";
    }
  }

  private static String query(Connection session, String statement) throws SQLException {
    try (var rows = session.createStatement().executeQuery(statement)) {
      rows.next();
      return rows.getString(1);
    }
  }
}
