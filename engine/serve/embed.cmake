# cmake -DINPUT=page.html -DOUTPUT=page_template.cpp -P embed.cmake
file(READ ${INPUT} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "#include \"serve/page_template.hpp\"
namespace hartline::serve {
namespace {
constexpr unsigned char bytes[] = {
${bytes}
};
}
std::string_view page_template() { return {reinterpret_cast<const char*>(bytes), sizeof bytes}; }
}
")
