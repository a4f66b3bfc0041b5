# cmake -DINPUT=file -DOUTPUT=file.c -P embed.cmake: the file as an array of bytes, with a 0 behind it.
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "(................................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${OUTPUT} "extern const unsigned char tool_timeline[];\nconst unsigned char tool_timeline[] = {\n${bytes}0x00};\n")
