import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Properties;

/** Logs in with a JDBC driver: JdbcClient URL [PROPERTY=VALUE]…, the password or token in PGPASSWORD. Prints who it is. */
public class JdbcClient {
	static final String TEXT = "back\\slash, 'quote' and \"another\", ü";

	public static void main(String[] args) throws Exception {
		Properties properties = new Properties();
		if (System.getenv("PGPASSWORD") != null) properties.setProperty("password", System.getenv("PGPASSWORD"));
		for (int i = 1; i < args.length; i++) {
			String[] pair = args[i].split("=", 2);
			properties.setProperty(pair[0], pair[1]);
		}
		try (Connection connection = DriverManager.getConnection(args[0], properties)) {
			parameters(connection);
			rows(connection);
			cancel(connection);
			try (Statement statement = connection.createStatement(); ResultSet row = statement.executeQuery("SELECT current_user")) {
				row.next();
				System.out.println(row.getString(1));
			}
		}
	}

	/** Nine times: pgjdbc prepares on the server from the fifth on. */
	static void parameters(Connection connection) throws Exception {
		try (PreparedStatement statement = connection.prepareStatement("SELECT CAST(? AS int) + 2, CAST(? AS varchar(100))")) {
			for (int n = 0; n < 9; n++) {
				statement.setInt(1, n);
				statement.setString(2, TEXT);
				try (ResultSet row = statement.executeQuery()) {
					row.next();
					if (row.getInt(1) != n + 2 || !TEXT.equals(row.getString(2))) throw new IllegalStateException(row.getInt(1) + " " + row.getString(2));
				}
			}
		}
	}

	static void rows(Connection connection) throws Exception {
		connection.setAutoCommit(false);
		long total = 0;
		try (Statement statement = connection.createStatement()) {
			statement.setFetchSize(10_000);
			try (ResultSet rows = statement.executeQuery("SELECT g, 'row ' || g FROM generate_series(1, 100000) g")) {
				while (rows.next()) {
					if (!rows.getString(2).equals("row " + rows.getInt(1))) throw new IllegalStateException(rows.getString(2));
					total += rows.getInt(1);
				}
			}
		}
		if (total != 100_000L * 100_001 / 2) throw new IllegalStateException("total " + total);
		connection.commit();
		connection.setAutoCommit(true);
	}

	/** A cancel ends the statement, and the session goes on. */
	static void cancel(Connection connection) throws Exception {
		try (Statement statement = connection.createStatement()) {
			Thread thread = new Thread(() -> {
				try {
					Thread.sleep(500);
					statement.cancel();
				} catch (Exception e) {
					e.printStackTrace();
				}
			});
			thread.start();
			try {
				statement.execute("SELECT pg_sleep(60)");
				throw new IllegalStateException("the statement was not cancelled");
			} catch (java.sql.SQLException e) {
				if (!"57014".equals(e.getSQLState())) throw e;
			}
			thread.join();
		}
	}
}
