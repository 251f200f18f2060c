// SPDX-License-Identifier: Apache-2.0

using System.Text;
using NUnit.Framework;

namespace PoseBridge.Tests
{
    /// <summary>Alerts are read from the native struct as the header describes it.</summary>
    [TestFixture]
    public sealed unsafe class AlertTests
    {
        [Test]
        public void EveryFieldIsRead()
        {
            NativeAlert native = default(NativeAlert);
            Put("alert-7", native.Id);
            native.Revision = 3;
            native.Cursor = 41;
            native.State = 3;
            Put("player1", native.AvatarId);
            native.StartedUs = 1000;
            native.RaisedUs = 2000;
            native.EndedUs = 3000;
            native.PValue = 0.001;
            native.Score = 1.5f;
            native.Threshold = 1.25f;
            native.Severity = 2;
            native.JointCount = 2;
            native.Joint0.Landmark = 15;
            native.Joint0.Share = 0.7f;
            Put("left_wrist", native.Joint0.Name);
            native.Joint1.Landmark = 13;
            native.Joint1.Share = 0.3f;
            Put("left_elbow", native.Joint1.Name);

            PoseAlert alert = new PoseAlert(&native);

            Assert.That(alert.Id, Is.EqualTo("alert-7"));
            Assert.That(alert.Revision, Is.EqualTo(3u));
            Assert.That(alert.Cursor, Is.EqualTo(41ul));
            Assert.That(alert.State, Is.EqualTo(AlertState.Cleared));
            Assert.That(alert.AvatarId, Is.EqualTo("player1"));
            Assert.That(alert.StartedUs, Is.EqualTo(1000ul));
            Assert.That(alert.RaisedUs, Is.EqualTo(2000ul));
            Assert.That(alert.EndedUs, Is.EqualTo(3000ul));
            Assert.That(alert.PValue, Is.EqualTo(0.001));
            Assert.That(alert.Score, Is.EqualTo(1.5f));
            Assert.That(alert.Threshold, Is.EqualTo(1.25f));
            Assert.That(alert.Severity, Is.EqualTo(AlertSeverity.Medium));
            Assert.That(alert.JointCount, Is.EqualTo(2));
            Assert.That(alert.Joint(1).Name, Is.EqualTo("left_elbow"));
            Assert.That(alert.Joint(1).Landmark, Is.EqualTo(13));
            Assert.That(alert.Joint(1).Share, Is.EqualTo(0.3f));
        }

        [Test]
        public void TextWithoutARoomForItsZeroEndsAtItsArray()
        {
            NativeAlert native = default(NativeAlert);
            for (int i = 0; i < NativeAlert.IdBytes; i++)
            {
                native.Id[i] = (byte)'x';
            }
            native.Revision = uint.MaxValue;
            native.JointCount = 99;
            PoseAlert alert = new PoseAlert(&native);
            Assert.That(alert.Id, Is.EqualTo(new string('x', NativeAlert.IdBytes)));
            Assert.That(alert.JointCount, Is.EqualTo(NativeAlert.MaxJoints));
        }

        private static void Put(string text, byte* target)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            for (int i = 0; i < bytes.Length; i++)
            {
                target[i] = bytes[i];
            }
        }
    }
}
