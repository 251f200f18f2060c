// SPDX-License-Identifier: Apache-2.0

using System;

namespace PoseBridge
{
    /// <summary>Versions of this package and of the native library that is loaded.</summary>
    public static class PoseBridgeVersion
    {
        /// <summary>Version of this package.</summary>
        public const string Package = "0.1.0";

        /// <summary>Version of the native library's header that this package was made for.</summary>
        public const string ExpectedLibrary = "0.1.0";

        /// <summary>Version of the native library that is loaded, such as "0.1.0".</summary>
        /// <exception cref="PoseBridgeLibraryException">It cannot be loaded.</exception>
        public static string LoadedLibrary
        {
            get
            {
                try
                {
                    return NativeText.Read(UnsafeNativeMethods.posebridge_version());
                }
                catch (DllNotFoundException error)
                {
                    throw new PoseBridgeLibraryException("it was not found, or one that it needs was not", error);
                }
                catch (BadImageFormatException error)
                {
                    throw new PoseBridgeLibraryException("it is made for another processor", error);
                }
                catch (EntryPointNotFoundException error)
                {
                    throw new PoseBridgeLibraryException("a library of that name was found, but it is not PoseBridge's", error);
                }
            }
        }

        /// <summary>Load the native library and see that it goes with this package. A client does so when it is made.</summary>
        /// <exception cref="PoseBridgeLibraryException">It cannot be loaded.</exception>
        /// <exception cref="PoseBridgeVersionException">It is of another major version; names both.</exception>
        public static void Check()
        {
            Check(LoadedLibrary, ExpectedLibrary);
        }

        internal static void Check(string library, string expected)
        {
            if (Major(library) != Major(expected))
            {
                throw new PoseBridgeVersionException(library, expected);
            }
        }

        private static string Major(string version)
        {
            int dot = version.IndexOf('.');
            return dot < 0 ? version : version.Substring(0, dot);
        }
    }
}
