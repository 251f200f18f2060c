// SPDX-License-Identifier: Apache-2.0

using NUnit.Framework;

namespace PoseBridge.Tests
{
    [TestFixture]
    public sealed class VersionTests
    {
        [TestCase("0.1.0")]
        [TestCase("0.2.7")]
        public void SameFirstNumberIsFine(string library)
        {
            Assert.DoesNotThrow(() => PoseBridgeVersion.Check(library, "0.1.0"));
        }

        [TestCase("1.0.0")]
        [TestCase("10.1.0")]
        public void AnotherFirstNumberIsRefusedAndBothAreNamed(string library)
        {
            PoseBridgeVersionException error =
                Assert.Throws<PoseBridgeVersionException>(() => PoseBridgeVersion.Check(library, "0.1.0"));
            Assert.That(error.LibraryVersion, Is.EqualTo(library));
            Assert.That(error.PackageVersion, Is.EqualTo("0.1.0"));
            Assert.That(error.Message.Contains(library) && error.Message.Contains("0.1.0"), error.Message);
            Assert.That(error.Code, Is.EqualTo(PoseBridgeErrorCode.VersionMismatch));
        }
    }
}
