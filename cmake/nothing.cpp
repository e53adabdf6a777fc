// Nothing: a library needs a file, if only to have its headers precompiled.
