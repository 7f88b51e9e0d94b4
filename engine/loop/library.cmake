# cmake -DFOLDER=library -DOUTPUT=library_texts.hpp -P library.cmake: the texts of cells, synapses, indicators and opsins as a header
set(rows "")
foreach(folder neurons synapses indicators opsins)
  file(GLOB files ${FOLDER}/${folder}/*.toml)
  list(SORT files)
  foreach(file ${files})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} text)
    string(APPEND rows "    {\"${folder}\", \"${name}\", R\"toml(${text})toml\"},\n")
  endforeach()
endforeach()
file(WRITE ${OUTPUT} "#pragma once
#include <string_view>
namespace hartline::loop {
struct LibraryText {
  std::string_view folder, name, text;
};
constexpr LibraryText library_texts[] = {
${rows}};
}
")
