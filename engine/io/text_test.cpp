// TOML, JSON and whole files.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/error.hpp"
#include "io/file.hpp"
#include "io/json.hpp"
#include "io/temporary_folder.hpp"
#include "io/toml.hpp"

namespace hartline::io {
namespace {

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::string toml_message(const std::string& text) {
  return message_of([&] { parse_toml(text, "x.toml"); });
}

std::string json_message(const std::string& text) {
  return message_of([&] { parse_json(text); });
}

TEST(Toml, KeysKeepTheirOrderAndValuesTheirLine) {
  const Table table = parse_toml(
      "zeta = 1\nalpha = 2\n\n[model]\nz.y = 1.5\nb = [1,\n 'two']\na = {y = true, x = inf}\n[[c.d]]\n"
      "[model.a2]\n",
      "x.toml");
  EXPECT_EQ(to_toml(table),
            "zeta = 1\nalpha = 2\n\n[model]\nb = [1, \"two\"]\n\n[model.z]\ny = 1.5\n\n[model.a]\ny = true\n"
            "x = inf\n\n[model.a2]\n\n[c]\n\n[[c.d]]\n");
  EXPECT_EQ(table.find("alpha")->line, 2);
  EXPECT_EQ((*table.find("model")->table()->find("b")->list())[1].line, 7);
}

TEST(Toml, NumbersReadExactly) {
  const Table table = parse_toml(
      "a = 0.1\nb = 5e-324\nc = -0.0\nd = 9223372036854775807\ne = 0x10\nf = nan\n"
      "g = 1.7976931348623157e308",
      "");
  EXPECT_EQ(*table.find("a"), Value(0.1));
  EXPECT_EQ(*table.find("b"), Value(5e-324));
  EXPECT_TRUE(std::signbit(std::get<double>(table.find("c")->is)));
  EXPECT_EQ(*table.find("d"), Value(std::numeric_limits<std::int64_t>::max()));
  EXPECT_EQ(*table.find("e"), Value(16));
  EXPECT_TRUE(std::isnan(std::get<double>(table.find("f")->is)));
  EXPECT_EQ(*table.find("g"), Value(std::numeric_limits<double>::max()));
}

TEST(Toml, LettersThatAreNoAsciiMayFollowAFoldedLine) {
  EXPECT_EQ(*parse_toml("a = \"\"\"x\\\n  \xc3\xa9\xc2\xb5\"\"\"", "").find("a"), Value("x\xc3\xa9\xc2\xb5"));
}

TEST(Toml, WhatBaseWritesReadsBack) {
  const Table table =
      parse_toml("a = \"quote \\\" tab \\t\"\n[b.\"a key.\"]\nc = [[1.0, 2.0], [], [{x = 1}]]\n[[d]]\ne = 1\n[[d]]\n", "");
  EXPECT_EQ(parse_toml(to_toml(table), ""), table);
}

TEST(Toml, SyntaxErrorsNameFileLineAndColumn) {
  const auto starts_with = [](const std::string& message, const std::string& start) { return message.rfind(start, 0) == 0; };
  EXPECT_PRED2(starts_with, toml_message("a = 1\nb = = 2\n"), "x.toml: must be valid TOML. Line 2, column 5: ");
  EXPECT_PRED2(starts_with, toml_message("a = 1\n\n  a = 2\n"), "x.toml: must be valid TOML. Line 3, column ");
  EXPECT_EQ(toml_message("a = 1\nb = \"\x01\""),
            "x.toml: must be valid TOML. Line 2, column 6: a control character; in a text write \\u and four hexadecimal digits.");
  EXPECT_PRED2(starts_with, toml_message("\n[!]"), "x.toml: must be valid TOML. Line 2, column ");
  // Every letter, also those that are no ASCII and stand where none may.
  for (const char* text : {"\n\xc2\xb5 = 1", "\na = 1 \xc3\xa9", "\na = \xe3\x80\x81"})
    EXPECT_PRED2(starts_with, toml_message(text), "x.toml: must be valid TOML. Line 2, column ");
  EXPECT_PRED2(starts_with, message_of([] { parse_toml("=", ""); }), "TOML text: must be valid TOML. Line 1");
}

TEST(Toml, DatesAndTimesAreRefusedByName) {
  for (const char* value : {"1979-05-27", "07:32:00", "1979-05-27T07:32:00Z"})
    EXPECT_EQ(toml_message(std::string("[run]\nlist = [1, {when = ") + value + "}]"),
              "run.list[1].when: must be a number, a text, true or false, a list or a table (got a date or time). "
              "Put it in quotes if it is meant as a text. Line 2 of x.toml.");
}

TEST(Toml, DeepNestingIsRefusedNotFollowed) {
  const auto repeat = [](const std::string& text, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += text;
    return out;
  };
  EXPECT_NE(toml_message("a = " + repeat("[", 100000)), "no error");
  EXPECT_NE(toml_message("a = " + repeat("{a = ", 100000)), "no error");
  EXPECT_EQ(toml_message("[a" + repeat(".a", 100000) + "]"),
            "x.toml: must be valid TOML. Line 1, column 65: a dotted key may have at most 32 parts.");
  EXPECT_EQ(toml_message("a" + repeat(".a", 31) + " = 1"), "no error");
  const Table deepest = parse_toml("[a" + repeat(".a", 28) + "]\na = [[1]]", "");
  EXPECT_EQ(parse_toml(to_toml(deepest), ""), deepest);
  std::string nested = "1";
  for (int i = 0; i < 10; ++i) nested = "{a" + repeat(".a", 14) + " = " + nested + "}";
  EXPECT_NE(toml_message("a = " + nested).find("must be at most 32 levels deep"), std::string::npos);
}

TEST(Toml, DotsInTextsNumbersAndCommentsAreNoKeys) {
  const std::string dots(100, '.');
  EXPECT_EQ(toml_message("a = \"" + dots + "\\\"" + dots + "\" # " + dots + "\nb = '''\n" + dots + "''''\n"), "no error");
  EXPECT_EQ(toml_message("c = [0.1, 0.2]\nd = '" + dots + "'\n"), "no error");
}

TEST(Toml, AFileThatIsMissingIsNamed) {
  EXPECT_EQ(message_of([] { read_toml("/nowhere/x.toml"); }),
            "/nowhere/x.toml: must be a readable file (got No such file or directory). Check the spelling of the path.");
}

TEST(Json, WritesKeysInOrderAndNumbersShortest) {
  Table table;
  table.set("z", 0.1);
  table.set("a", List{1, 2.0, -0.0, 1e22, 5e-324, true, Value()});
  table.set("inf", std::numeric_limits<double>::infinity());
  table.set("nan", std::nan(""));
  table.set("t", "a\"\\\n\t\x01</script> é \xff");
  EXPECT_EQ(to_json(table),
            "{\"z\":0.1,\"a\":[1,2.0,-0.0,1e+22,5e-324,true,null],\"inf\":null,\"nan\":null,"
            "\"t\":\"a\\\"\\\\\\n\\t\\u0001\\u003c/script> é \xEF\xBF\xBD\"}");
  EXPECT_EQ(to_json(Table{{{"a", List{1}}, {"b", List{}}, {"c", Table{}}}}, 2),
            "{\n  \"a\": [\n    1\n  ],\n  \"b\": [],\n  \"c\": {}\n}");
}

TEST(Json, BytesThatAreNotUtf8AreReplacedAndTheRestKept) {
  for (const char* bad : {"\x80", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5", "\xe2\x82"}) {
    const Value back = parse_json(to_json(std::string("a") + bad + "z"));
    EXPECT_EQ(back.text()->front(), 'a');
    EXPECT_EQ(back.text()->back(), 'z');
  }
  for (const char* good : {"é", "€", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    EXPECT_EQ(*parse_json(to_json(good)).text(), good);
}

TEST(Json, WhatIsWrittenReadsBack) {
  const Value value = parse_json(
      " {\"b\": [1, -2.5, \"\\u00e9\\ud83d\\ude00\", null, {}], \"a\": {\"x\": false}, "
      "\"n\": -9223372036854775808} ");
  EXPECT_EQ(value.table()->items[0].first, "b");
  EXPECT_EQ(parse_json(to_json(value)), value);
  EXPECT_EQ(parse_json(to_json(value, 4)), value);
}

TEST(Json, ErrorsNameLineAndColumn) {
  const std::string message = json_message("{\"a\": 1,\n \"b\": x}");
  EXPECT_EQ(message.rfind("JSON text: must be valid JSON. Line 2, column 7: ", 0), 0u) << message;
  EXPECT_EQ(json_message("{\"a\": 1, \"a\": 2}"), "JSON text: must be valid JSON (got the key \"a\" twice).");
  EXPECT_EQ(json_message("[18446744073709551615]"),
            "JSON text: must be valid JSON (got the whole number 18446744073709551615, which 64 bits do not hold).");
  EXPECT_NE(json_message("[100000000000000000000]").find("64 bits do not hold"), std::string::npos);
  EXPECT_NE(json_message("1e999"), "no error");
  EXPECT_NE(json_message("[1] 2"), "no error");
  EXPECT_NE(json_message(""), "no error");
  EXPECT_EQ(json_message(std::string(100000, '[')), "JSON text: must be valid JSON (got more than 128 levels).");
}

TEST(File, AWrittenTextReadsBackAndLeavesNothingElse) {
  TemporaryFolder folder;
  const std::string text("a\0b\n", 4);
  write_text(folder / "x", "old");
  write_text(folder / "x", text);
  EXPECT_EQ(read_text(folder / "x"), text);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"x"});
}

TEST(File, ErrorsCarryTheReasonOfTheSystem) {
  TemporaryFolder folder;
  EXPECT_EQ(message_of([&] { read_text(folder.path()); }), folder.path() + ": must be a readable file (got Is a directory).");
  EXPECT_EQ(message_of([&] { write_text(folder / "no/x", ""); }),
            folder / "no/x" + ": must be a writable file (got No such file or directory). Make the folder first.");
  EXPECT_EQ(message_of([&] { write_text(folder.path(), ""); }).rfind(folder.path() + ": must be a writable file (got ", 0), 0u);
  EXPECT_TRUE(folder.names().empty());
}

TEST(File, AFullDiskIsNamedAndTheOldFileKept) {
  if (::access("/dev/full", W_OK) != 0) GTEST_SKIP() << "needs /dev/full";
  TemporaryFolder folder;
  write_text(folder / "x", "old");
  // The temporary file's name leads to a device that is always full.
  const std::string temporary = folder / "x" + ".new-" + std::to_string(::getpid());
  ASSERT_EQ(::symlink("/dev/full", temporary.c_str()), 0);
  EXPECT_EQ(message_of([&] { write_text(folder / "x", "new"); }),
            folder / "x" + ": must be a writable file (got No space left on device). Free some space or choose another disk.");
  EXPECT_EQ(read_text(folder / "x"), "old");
  EXPECT_EQ(folder.names(), std::vector<std::string>{"x"});
}

}  // namespace
}  // namespace hartline::io
