// SPDX-License-Identifier: Apache-2.0

using System;
using System.Runtime.InteropServices;
using System.Text;

namespace PoseBridge
{
    /// <summary>UTF-8 strings with a zero at the end, to and from managed ones.</summary>
    internal static unsafe class NativeText
    {
        /// <summary>Copy a string to unmanaged memory; null stays null. Free it with <see cref="Free"/>.</summary>
        internal static IntPtr Allocate(string text, string field)
        {
            if (text == null)
            {
                return IntPtr.Zero;
            }
            byte[] bytes = Encode(text, field);
            IntPtr memory = Marshal.AllocHGlobal(bytes.Length);
            Marshal.Copy(bytes, 0, memory, bytes.Length);
            return memory;
        }

        internal static void Free(IntPtr memory)
        {
            if (memory != IntPtr.Zero)
            {
                Marshal.FreeHGlobal(memory);
            }
        }

        /// <summary>The bytes of a string and a zero.</summary>
        internal static byte[] Encode(string text, string field)
        {
            if (text.IndexOf('\0') >= 0)
            {
                throw new PoseBridgeArgumentException(field, "contains a zero character", "text without one");
            }
            byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text) + 1];
            Encoding.UTF8.GetBytes(text, 0, text.Length, bytes, 0);
            return bytes;
        }

        /// <summary>Read up to the first zero, or <paramref name="capacity"/> bytes.</summary>
        internal static string Read(byte* text, int capacity)
        {
            if (text == null)
            {
                return "";
            }
            int length = 0;
            while (length < capacity && text[length] != 0)
            {
                length++;
            }
            return length == 0 ? "" : Encoding.UTF8.GetString(text, length);
        }

        internal static string Read(IntPtr text)
        {
            return Read((byte*)text, 4096);
        }
    }
}
