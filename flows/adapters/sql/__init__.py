"""SQL databases: connections, migrations, clocks and the lease of a night."""
