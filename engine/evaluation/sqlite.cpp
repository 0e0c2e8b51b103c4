// Implementation of sqlite.h.
#include "engine/evaluation/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "blindspot/error.h"

namespace blindspot::evaluation {

namespace {

constexpr int milliseconds_to_wait = 5000;  // for another program's transaction to end

/// A file name as SQLite's URIs have it.
std::string uri_of(const std::filesystem::path& path, const char* query) {
  std::string uri = "file:";
  for (const char letter : std::filesystem::absolute(path).string()) {
    const bool plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                       (letter >= '0' && letter <= '9') || letter == '/' || letter == '.' || letter == '-' ||
                       letter == '_';
    if (plain) {
      uri += letter;
    } else {
      uri += fmt::format("%{:02x}", static_cast<unsigned char>(letter));
    }
  }
  return uri + query;
}

std::string reason_of(int code, const char* message) {
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return "no room left on the disk; what is finished is kept: free some room and run the same command again";
    case SQLITE_READONLY:
      return "cannot be written, the file or its folder is read-only";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "is locked by another program; wait for its end and run the same command again, what is finished is kept";
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return "cannot be opened; name a file in a folder that can be written";
    case SQLITE_NOTADB:
      return "is no run database but another kind of file; name another file";
    case SQLITE_CORRUPT:
      return "is damaged; start again with another file";
    case SQLITE_IOERR:
      return fmt::format("cannot be read or written ({}); is the disk full? What is finished is kept", message);
    default:
      return fmt::format("SQLite says: {}", message);
  }
}

/// Throws the Error that SQLite's code asks for.
[[noreturn]] void refuse(const std::string& name, int code, const char* message) {
  if ((code & 0xFF) == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM) {
    throw OutOfMemory(fmt::format("{}: out of memory; what is finished is kept", name));
  }
  throw Error(ErrorKind::input, fmt::format("{}: {}", name, reason_of(code, message)));
}

}  // namespace

void DatabaseCloser::operator()(sqlite3* database) const {
  sqlite3_close(database);
}

Statement::Statement(Connection& connection, const std::string& sql) : connection_(connection) {
  const int code = sqlite3_prepare_v2(connection.handle(), sql.c_str(), -1, &statement_, nullptr);
  if (code != SQLITE_OK) connection.fail(code);
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

Statement& Statement::bind(std::int64_t value) {
  const int code = sqlite3_bind_int64(statement_, ++bound_, value);
  if (code != SQLITE_OK) connection_.fail(code);
  return *this;
}

Statement& Statement::bind(double value) {
  const int code = sqlite3_bind_double(statement_, ++bound_, value);  // a NaN becomes NULL
  if (code != SQLITE_OK) connection_.fail(code);
  return *this;
}

Statement& Statement::bind(const std::string& value) {
  const int code = sqlite3_bind_text64(statement_, ++bound_, value.data(), value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  if (code != SQLITE_OK) connection_.fail(code);
  return *this;
}

Statement& Statement::bind(std::span<const std::byte> value) {
  const void* data = value.empty() ? static_cast<const void*>("") : value.data();
  const int code = sqlite3_bind_blob64(statement_, ++bound_, data, value.size(), SQLITE_TRANSIENT);
  if (code != SQLITE_OK) connection_.fail(code);
  return *this;
}

Statement& Statement::bind_null() {
  const int code = sqlite3_bind_null(statement_, ++bound_);
  if (code != SQLITE_OK) connection_.fail(code);
  return *this;
}

Statement& Statement::bind_column(const Statement& row, int column) {
  const int code = sqlite3_bind_value(statement_, ++bound_, sqlite3_column_value(row.statement_, column));
  if (code != SQLITE_OK) connection_.fail(code);
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) {
    sqlite3_reset(statement_);
    connection_.fail(code);
  }
  return false;
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  bound_ = 0;
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Statement::number(int column) const {
  return is_null(column) ? std::numeric_limits<double>::quiet_NaN() : sqlite3_column_double(statement_, column);
}

std::string Statement::text(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? std::string() : std::string(static_cast<const char*>(data), size);
}

std::vector<std::uint8_t> Statement::blob(int column) const {
  const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return data == nullptr ? std::vector<std::uint8_t>() : std::vector<std::uint8_t>(data, data + size);
}

std::vector<float> Statement::floats(int column) const {
  const std::vector<std::uint8_t> bytes = blob(column);
  std::vector<float> values(bytes.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

int Statement::columns() const {
  return sqlite3_column_count(statement_);
}

std::string Statement::column_name(int column) const {
  const char* const name = sqlite3_column_name(statement_, column);
  return name == nullptr ? "" : name;
}

std::string Statement::canonical(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_NULL:
      return "n";
    case SQLITE_INTEGER:
      return fmt::format("i{}", integer(column));
    case SQLITE_FLOAT: {
      return fmt::format("f{:a}", number(column));
    }
    default: {
      const std::string bytes = text(column);
      return fmt::format("b{}:", bytes.size()) + bytes;
    }
  }
}

Connection::Connection(const std::filesystem::path& path, Access access) : name_(path.string()) {
  if (access == Access::write) {
    open(uri_of(path, ""), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    return;
  }
  open(uri_of(path, "?mode=ro"), SQLITE_OPEN_READONLY);
  // A finished database on a medium that cannot be written has no room for SQLite's shared memory and needs none.
  const int code = sqlite3_exec(handle(), "SELECT count(*) FROM sqlite_master", nullptr, nullptr, nullptr);
  if (code != SQLITE_CANTOPEN && code != SQLITE_READONLY) return;
  if (std::filesystem::exists(name_ + "-wal")) fail(code);
  database_.reset();
  open(uri_of(path, "?immutable=1"), SQLITE_OPEN_READONLY);
}

void Connection::open(const std::string& uri, int flags) {
  sqlite3* database = nullptr;
  const int code = sqlite3_open_v2(uri.c_str(), &database, flags | SQLITE_OPEN_URI, nullptr);
  database_.reset(database);
  if (code != SQLITE_OK) refuse(name_, code, sqlite3_errstr(code));
  sqlite3_busy_timeout(database, milliseconds_to_wait);
}

void Connection::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code);
}

std::int64_t Connection::integer(const std::string& sql) {
  Statement statement(*this, sql);
  return statement.step() ? statement.integer(0) : 0;
}

void Connection::fail(int code) const {
  refuse(name_, code, sqlite3_errmsg(database_.get()));
}

Transaction::Transaction(Connection& connection, Access access) : connection_(connection) {
  // Left open by one whose ROLLBACK had no memory.
  if (sqlite3_get_autocommit(connection.handle()) == 0) connection.execute("ROLLBACK");
  connection.execute(access == Access::read ? "BEGIN" : "BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (open_) sqlite3_exec(connection_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  connection_.execute("COMMIT");
  open_ = false;
}

}  // namespace blindspot::evaluation
