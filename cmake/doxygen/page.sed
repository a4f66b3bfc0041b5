# How doxygen reads a page: links into other parts of the tree become words, and links to headings links to their page.
s#\[\([^]]*\)\](\(\.\./\)*samples[^)]*)#\1#g
s#\[\([^]]*\)\](\(\.\./\)*tests[^)]*)#\1#g
s#\.md\#[a-z0-9-]*)#.md)#g
