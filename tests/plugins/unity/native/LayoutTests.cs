// SPDX-License-Identifier: Apache-2.0

using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.InteropServices;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    /// <summary>The C# structs lie in memory as the C compiler lays out those of the header.</summary>
    [TestFixture]
    public sealed class LayoutTests
    {
        /// <summary>Lines of "struct field offset" and "struct - size", written by a C program that was made from the header.</summary>
        private static readonly string[] Lines =
            File.ReadAllLines(Environment.GetEnvironmentVariable("POSEBRIDGE_TEST_LAYOUT") ?? "layout.txt");

        [Test]
        public void EveryFieldIsWhereCHasIt()
        {
            int fields = 0;
            foreach (string[] line in Lines.Select(text => text.Split(' ')).Where(line => line[1] != "-"))
            {
                Type type = Struct(line[0]);
                string name = line[0] == "alert" && line[1] == "joints" ? "Joint0" : Pascal(line[1]);
                Assert.That(type.GetField(name, Instance), Is.Not.Null, line[0] + " has no field " + name);
                Assert.That(Marshal.OffsetOf(type, name).ToInt32(), Is.EqualTo(int.Parse(line[2])), line[0] + "." + name);
                fields++;
            }
            Assert.That(fields, Is.GreaterThan(100));
        }

        [Test]
        public void EveryStructHasTheSizeAndTheNumberOfFieldsThatCHas()
        {
            foreach (string[] line in Lines.Select(text => text.Split(' ')).Where(line => line[1] == "-"))
            {
                Type type = Struct(line[0]);
                Assert.That(Marshal.SizeOf(type), Is.EqualTo(int.Parse(line[2])), line[0]);
                int fields = Lines.Count(text => text.StartsWith(line[0] + " ")) - 1;
                // C's array of eight joints is eight fields.
                int expected = line[0] == "alert" ? fields + 7 : fields;
                Assert.That(type.GetFields(Instance).Length, Is.EqualTo(expected), line[0]);
            }
        }

        private const BindingFlags Instance = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;

        private static Type Struct(string name)
        {
            if (name == "quaternion")
            {
                return typeof(JointRotation);
            }
            Type type = typeof(NativeConfig).Assembly.GetType("PoseBridge.Native" + Pascal(name));
            Assert.That(type, Is.Not.Null, "no struct for posebridge_" + name);
            return type;
        }

        private static string Pascal(string name)
        {
            return string.Concat(name.Split('_').Select(word => char.ToUpperInvariant(word[0]) + word.Substring(1)));
        }
    }
}
