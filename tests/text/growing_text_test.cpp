#include "text/growing_text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace memlayers::text {
namespace {

std::vector<std::string> parts_of(const std::vector<std::string>& steps) {
  GrowingText growing;
  std::vector<std::string> parts;
  for (const std::string& text : steps) parts.emplace_back(growing.grown(text));
  parts.emplace_back(growing.rest(steps.back()));
  return parts;
}

TEST(GrowingText, CharactersOfEveryLengthWaitForTheirLastByte) {
  for (const std::string character : {"a", "\u00e9", "\u20ac", "\U0001f600"}) {
    GrowingText growing;
    const std::string text = "x" + character;
    EXPECT_EQ(growing.grown("x"), "x");
    for (size_t size = 2; size < text.size(); ++size) EXPECT_EQ(growing.grown(text.substr(0, size)), "") << text;
    EXPECT_EQ(growing.grown(text), character);
    EXPECT_EQ(growing.rest(text), "");
  }
}

TEST(GrowingText, ReplacementsThatMayBecomeACharacterWaitAll) {
  const std::string r = "\uFFFD";
  EXPECT_EQ(parts_of({"x", "x" + r, "x" + r + r, "x" + r + r + r, "x\U0001f600"}),
            (std::vector<std::string>{"x", "", "", "", "\U0001f600", ""}));
  EXPECT_EQ(parts_of({r + r + r + r + r, r + r + r + r + r + "y"}),
            (std::vector<std::string>{r + r, r + r + r + "y", ""}));
  EXPECT_EQ(parts_of({"x", "x" + r}), (std::vector<std::string>{"x", "", r}));
}

TEST(GrowingText, NothingIsLostWhereNothingIsWhole) {
  EXPECT_EQ(parts_of({"\x80\x80\x80\x80", "\xC3"}).front(), "\x80\x80\x80\x80");
  EXPECT_EQ(parts_of({"", "ab\xC3"}), (std::vector<std::string>{"", "ab", "\xC3"}));
}

}  // namespace
}  // namespace memlayers::text
