# Runs once, as the database is made: tables and data of the demonstration, the
# module's role and its functions.

psql -X -q -v ON_ERROR_STOP=1 -f /sql/schema.sql platform
psql -X -q -v ON_ERROR_STOP=1 -f /sql/demo.sql platform
psql -X -q -v ON_ERROR_STOP=1 \
    -c "CREATE ROLE nginx LOGIN PASSWORD 'change-me'" platform
psql -X -q -v ON_ERROR_STOP=1 -v role=nginx -f /sql/install.sql platform
