// SQLite as values: a connection, a statement, a transaction; what goes wrong becomes an Error(input) that names the
// database and says what to do. Hides the C interface; uses error.h only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace blindspot::evaluation {

enum class Access : bool { read, write };

class Connection;

/// A prepared statement. Parameters are bound from 1 on, in order, by `bind` calls; columns count from 0.
/// Floating-point numbers that are none (NaN) are bound as NULL and read back as NaN.
class Statement {
 public:
  Statement(Connection& connection, const std::string& sql);
  Statement(Statement&&) = delete;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  Statement& bind(std::int64_t value);
  Statement& bind(double value);
  Statement& bind(const std::string& value);
  Statement& bind(std::span<const std::byte> value);  ///< empty: a blob of no bytes
  Statement& bind_null();
  /// The value of another statement's row, as it is.
  Statement& bind_column(const Statement& row, int column);
  template <typename Value>
  Statement& bind(const std::optional<Value>& value) {
    return value ? bind(*value) : bind_null();
  }

  /// True while there is a row.
  bool step();
  /// For statements without rows; ready to be bound again.
  void run();
  /// Ready to be bound again.
  void reset();

  bool is_null(int column) const;
  std::int64_t integer(int column) const;
  double number(int column) const;
  std::string text(int column) const;
  std::vector<std::uint8_t> blob(int column) const;
  std::vector<float> floats(int column) const;  ///< a blob of float32
  int columns() const;
  std::string column_name(int column) const;
  /// The value as bytes that tell its type from others, for digests and comparisons.
  std::string canonical(int column) const;

 private:
  Connection& connection_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

struct DatabaseCloser {
  void operator()(sqlite3* database) const;
};

class Connection {
 public:
  /// `write`: makes the file if it does not exist. Throws Error(input), as all here, or OutOfMemory.
  Connection(const std::filesystem::path& path, Access access);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void execute(const std::string& sql);
  /// The first column of the first row.
  std::int64_t integer(const std::string& sql);
  /// Throws the Error that SQLite's code asks for.
  [[noreturn]] void fail(int code) const;
  const std::string& name() const { return name_; }
  sqlite3* handle() { return database_.get(); }

 private:
  void open(const std::string& uri, int flags);

  std::string name_;
  std::unique_ptr<sqlite3, DatabaseCloser> database_;
};

/// Rolled back unless committed. Access::read: one moment of the database, nothing to commit.
class Transaction {
 public:
  explicit Transaction(Connection& connection, Access access = Access::write);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Connection& connection_;
  bool open_ = true;
};

}  // namespace blindspot::evaluation
