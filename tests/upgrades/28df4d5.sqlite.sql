BEGIN TRANSACTION;
CREATE TABLE "account_emailaddress" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "verified" bool NOT NULL, "primary" bool NOT NULL, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "email" varchar(254) NOT NULL);
INSERT INTO "account_emailaddress" VALUES(1,0,1,1,'owner@holdfast.test');
INSERT INTO "account_emailaddress" VALUES(2,0,1,2,'colleague@holdfast.test');
CREATE TABLE "account_emailconfirmation" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "created" datetime NOT NULL, "sent" datetime NULL, "key" varchar(64) NOT NULL UNIQUE, "email_address_id" integer NOT NULL REFERENCES "account_emailaddress" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "accounts_apikey" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "provider" varchar(50) NOT NULL, "sealed" BLOB NOT NULL, "last_four" varchar(4) NOT NULL, "master_key_id" varchar(32) NOT NULL, "created_at" datetime NOT NULL, "last_used_at" datetime NULL, "last_checked_at" datetime NULL, "check_result" varchar(200) NOT NULL, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "api_key_one_per_provider" UNIQUE ("user_id", "provider"));
INSERT INTO "accounts_apikey" VALUES(1,'openai',X'F2DE757ACFAEFB6CA66CFCBFB07772EB21CDDD66F6C017FDB8D270DB8BEB2E93805E80939687FC5F06881F6202308ED5808BCE1278F00E','cdef','sample','2026-11-29 01:13:02.916826','2026-11-29 01:14:02.230758','2026-11-29 01:13:02.924821','good',1);
INSERT INTO "accounts_apikey" VALUES(2,'openai',X'170784E1A5D8A93DD2EBB55175A325DEB0E11EED56A6E7ADB3599B7D3418C0F9A9841DB7344B34701E1CBE93AFC13182A6853D81EEABD4','cdef','sample','2026-11-29 01:13:02.962719','2026-11-29 01:14:02.437778','2026-11-29 01:13:02.965260','good',2);
CREATE TABLE "accounts_listedmodel" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "place" integer unsigned NOT NULL CHECK ("place" >= 0), "model_id" varchar(100) NOT NULL, "label" varchar(100) NOT NULL, "context_window" integer unsigned NULL CHECK ("context_window" >= 0), "max_output" integer unsigned NULL CHECK ("max_output" >= 0), "lifecycle" varchar(30) NOT NULL, "shutdown" date NULL, "key_id" bigint NOT NULL REFERENCES "accounts_apikey" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "listed_model_once_per_key" UNIQUE ("key_id", "model_id"));
INSERT INTO "accounts_listedmodel" VALUES(1,0,'gpt-6.2-astra','',NULL,NULL,'',NULL,1);
INSERT INTO "accounts_listedmodel" VALUES(2,1,'gpt-6.2-sol','',NULL,NULL,'',NULL,1);
INSERT INTO "accounts_listedmodel" VALUES(3,2,'gpt-4.1','',NULL,NULL,'','2027-01-14',1);
INSERT INTO "accounts_listedmodel" VALUES(4,3,'gpt-4o-mini','',NULL,NULL,'','2027-01-14',1);
INSERT INTO "accounts_listedmodel" VALUES(5,0,'gpt-6.2-astra','',NULL,NULL,'',NULL,2);
INSERT INTO "accounts_listedmodel" VALUES(6,1,'gpt-6.2-sol','',NULL,NULL,'',NULL,2);
INSERT INTO "accounts_listedmodel" VALUES(7,2,'gpt-4.1','',NULL,NULL,'','2027-01-14',2);
INSERT INTO "accounts_listedmodel" VALUES(8,3,'gpt-4o-mini','',NULL,NULL,'','2027-01-14',2);
CREATE TABLE "accounts_user" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "password" varchar(128) NOT NULL, "last_login" datetime NULL, "is_superuser" bool NOT NULL, "email" varchar(254) NOT NULL UNIQUE, "name" varchar(150) NOT NULL, "avatar" varchar(200) NOT NULL, "is_active" bool NOT NULL, "is_staff" bool NOT NULL, "date_joined" datetime NOT NULL, "revision" bigint NOT NULL, "background_replies" bool NOT NULL, CONSTRAINT "user_email_in_lower_case" CHECK ("email" = (LOWER("email"))));
INSERT INTO "accounts_user" VALUES(1,'pbkdf2_sha256$1000000$GuEMOOQyoJyB5LcEbUVVQ7$8YPIA7bk99INErY87M/mjzQ+RmQdGAsA/a4sipIlFgQ=','2026-11-29 01:13:02.097857',1,'owner@holdfast.test','','',1,1,'2026-11-29 01:13:01.895300',43,0);
INSERT INTO "accounts_user" VALUES(2,'pbkdf2_sha256$1000000$UW7itb0CcC8hz2rdP4PChG$JSc/kkg8MgRR3bUXqUWTMeUsls7hKYf+QyZIUpXpctg=','2026-11-29 01:13:02.356338',0,'colleague@holdfast.test','','',1,0,'2026-11-29 01:13:02.159317',1,1);
CREATE TABLE "accounts_user_groups" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "accounts_user_user_permissions" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "auth_group" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "name" varchar(150) NOT NULL UNIQUE);
CREATE TABLE "auth_group_permissions" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "group_id" integer NOT NULL REFERENCES "auth_group" ("id") DEFERRABLE INITIALLY DEFERRED, "permission_id" integer NOT NULL REFERENCES "auth_permission" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "auth_permission" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "content_type_id" integer NOT NULL REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED, "codename" varchar(100) NOT NULL, "name" varchar(255) NOT NULL);
INSERT INTO "auth_permission" VALUES(1,1,'add_user','Can add user');
INSERT INTO "auth_permission" VALUES(2,1,'change_user','Can change user');
INSERT INTO "auth_permission" VALUES(3,1,'delete_user','Can delete user');
INSERT INTO "auth_permission" VALUES(4,1,'view_user','Can view user');
INSERT INTO "auth_permission" VALUES(5,2,'add_apikey','Can add API key');
INSERT INTO "auth_permission" VALUES(6,2,'change_apikey','Can change API key');
INSERT INTO "auth_permission" VALUES(7,2,'delete_apikey','Can delete API key');
INSERT INTO "auth_permission" VALUES(8,2,'view_apikey','Can view API key');
INSERT INTO "auth_permission" VALUES(9,3,'add_listedmodel','Can add listed model');
INSERT INTO "auth_permission" VALUES(10,3,'change_listedmodel','Can change listed model');
INSERT INTO "auth_permission" VALUES(11,3,'delete_listedmodel','Can delete listed model');
INSERT INTO "auth_permission" VALUES(12,3,'view_listedmodel','Can view listed model');
INSERT INTO "auth_permission" VALUES(13,4,'add_conversation','Can add conversation');
INSERT INTO "auth_permission" VALUES(14,4,'change_conversation','Can change conversation');
INSERT INTO "auth_permission" VALUES(15,4,'delete_conversation','Can delete conversation');
INSERT INTO "auth_permission" VALUES(16,4,'view_conversation','Can view conversation');
INSERT INTO "auth_permission" VALUES(17,5,'add_message','Can add message');
INSERT INTO "auth_permission" VALUES(18,5,'change_message','Can change message');
INSERT INTO "auth_permission" VALUES(19,5,'delete_message','Can delete message');
INSERT INTO "auth_permission" VALUES(20,5,'view_message','Can view message');
INSERT INTO "auth_permission" VALUES(21,6,'add_modeloverride','Can add model override');
INSERT INTO "auth_permission" VALUES(22,6,'change_modeloverride','Can change model override');
INSERT INTO "auth_permission" VALUES(23,6,'delete_modeloverride','Can delete model override');
INSERT INTO "auth_permission" VALUES(24,6,'view_modeloverride','Can view model override');
INSERT INTO "auth_permission" VALUES(25,7,'add_refusedparameter','Can add refused parameter');
INSERT INTO "auth_permission" VALUES(26,7,'change_refusedparameter','Can change refused parameter');
INSERT INTO "auth_permission" VALUES(27,7,'delete_refusedparameter','Can delete refused parameter');
INSERT INTO "auth_permission" VALUES(28,7,'view_refusedparameter','Can view refused parameter');
INSERT INTO "auth_permission" VALUES(29,8,'add_worker','Can add worker');
INSERT INTO "auth_permission" VALUES(30,8,'change_worker','Can change worker');
INSERT INTO "auth_permission" VALUES(31,8,'delete_worker','Can delete worker');
INSERT INTO "auth_permission" VALUES(32,8,'view_worker','Can view worker');
INSERT INTO "auth_permission" VALUES(33,9,'add_stream','Can add stream');
INSERT INTO "auth_permission" VALUES(34,9,'change_stream','Can change stream');
INSERT INTO "auth_permission" VALUES(35,9,'delete_stream','Can delete stream');
INSERT INTO "auth_permission" VALUES(36,9,'view_stream','Can view stream');
INSERT INTO "auth_permission" VALUES(37,10,'add_streamchunk','Can add stream chunk');
INSERT INTO "auth_permission" VALUES(38,10,'change_streamchunk','Can change stream chunk');
INSERT INTO "auth_permission" VALUES(39,10,'delete_streamchunk','Can delete stream chunk');
INSERT INTO "auth_permission" VALUES(40,10,'view_streamchunk','Can view stream chunk');
INSERT INTO "auth_permission" VALUES(41,11,'add_emailaddress','Can add email address');
INSERT INTO "auth_permission" VALUES(42,11,'change_emailaddress','Can change email address');
INSERT INTO "auth_permission" VALUES(43,11,'delete_emailaddress','Can delete email address');
INSERT INTO "auth_permission" VALUES(44,11,'view_emailaddress','Can view email address');
INSERT INTO "auth_permission" VALUES(45,12,'add_emailconfirmation','Can add email confirmation');
INSERT INTO "auth_permission" VALUES(46,12,'change_emailconfirmation','Can change email confirmation');
INSERT INTO "auth_permission" VALUES(47,12,'delete_emailconfirmation','Can delete email confirmation');
INSERT INTO "auth_permission" VALUES(48,12,'view_emailconfirmation','Can view email confirmation');
INSERT INTO "auth_permission" VALUES(49,13,'add_logentry','Can add log entry');
INSERT INTO "auth_permission" VALUES(50,13,'change_logentry','Can change log entry');
INSERT INTO "auth_permission" VALUES(51,13,'delete_logentry','Can delete log entry');
INSERT INTO "auth_permission" VALUES(52,13,'view_logentry','Can view log entry');
INSERT INTO "auth_permission" VALUES(53,14,'add_permission','Can add permission');
INSERT INTO "auth_permission" VALUES(54,14,'change_permission','Can change permission');
INSERT INTO "auth_permission" VALUES(55,14,'delete_permission','Can delete permission');
INSERT INTO "auth_permission" VALUES(56,14,'view_permission','Can view permission');
INSERT INTO "auth_permission" VALUES(57,15,'add_group','Can add group');
INSERT INTO "auth_permission" VALUES(58,15,'change_group','Can change group');
INSERT INTO "auth_permission" VALUES(59,15,'delete_group','Can delete group');
INSERT INTO "auth_permission" VALUES(60,15,'view_group','Can view group');
INSERT INTO "auth_permission" VALUES(61,16,'add_contenttype','Can add content type');
INSERT INTO "auth_permission" VALUES(62,16,'change_contenttype','Can change content type');
INSERT INTO "auth_permission" VALUES(63,16,'delete_contenttype','Can delete content type');
INSERT INTO "auth_permission" VALUES(64,16,'view_contenttype','Can view content type');
INSERT INTO "auth_permission" VALUES(65,17,'add_session','Can add session');
INSERT INTO "auth_permission" VALUES(66,17,'change_session','Can change session');
INSERT INTO "auth_permission" VALUES(67,17,'delete_session','Can delete session');
INSERT INTO "auth_permission" VALUES(68,17,'view_session','Can view session');
CREATE TABLE "chat_conversation" ("id" char(32) NOT NULL PRIMARY KEY, "title" varchar(200) NOT NULL, "status" varchar(10) NOT NULL, "model" varchar(100) NOT NULL, "max_tokens" integer unsigned NULL CHECK ("max_tokens" >= 0), "temperature" real NULL, "system_prompt" text NOT NULL, "pinned" bool NOT NULL, "read" bool NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "leaf_id" char(32) NULL REFERENCES "chat_message" ("id") DEFERRABLE INITIALLY DEFERRED, "reasoning_effort" varchar(20) NOT NULL, "deleted_at" datetime NULL, "named" bool NOT NULL, CONSTRAINT "conversation_known_status" CHECK ("status" IN ('idle', 'streaming', 'completed', 'error')));
INSERT INTO "chat_conversation" VALUES('50b56022282a486a90eaceabf86fa04e','A quiet day','completed','demo-fast',NULL,NULL,'',0,1,'2026-11-29 01:13:03.049000','2026-11-29 01:13:03.369',1,'6e1424618ded457fb887f06b49f93195','',NULL,1);
INSERT INTO "chat_conversation" VALUES('cca20d18ff4045e1a341f282e19cddfb','Why do tides lag the moon? Be brief.','completed','demo-fast',NULL,NULL,'',1,1,'2026-11-29 01:13:03.397000','2026-11-29 01:13:04.429',1,'e60085c40259480ebb2538fbb9bb8d7f','',NULL,0);
INSERT INTO "chat_conversation" VALUES('5948f69d2e324ee6b199b0112e1849bc','Tell me all of it.','completed','demo',NULL,NULL,'',0,1,'2026-11-29 01:13:04.450000','2026-11-29 01:13:04.580',1,'ccf7206e3c9649cebc817fd1d0f8b19d','',NULL,0);
INSERT INTO "chat_conversation" VALUES('11ace71dfe854527abe3bb2e9e0b2b61','A title by a model','completed','gpt-5.5',NULL,NULL,'',0,1,'2026-11-29 01:13:04.615000','2026-11-29 01:13:04.772',1,'74fc348ae7a54946b8ec7443f11902fd','',NULL,0);
INSERT INTO "chat_conversation" VALUES('23f75439df5c4d508b83dde5cd716d20','Is the sea salt?','error','gpt-5.5',NULL,NULL,'',0,1,'2026-11-29 01:13:04.815000','2026-11-29 01:13:04.854',1,'31b7c763aa0b40daa54353ed28fa4ab2','',NULL,0);
INSERT INTO "chat_conversation" VALUES('c9608167d7de4b509ba9c2c40dc5de7f','Is it only half?','error','gpt-5.5',NULL,NULL,'',0,1,'2026-11-29 01:13:04.889000','2026-11-29 01:13:04.932',1,'dbe356553f8849dc8225f5796939828d','',NULL,0);
INSERT INTO "chat_conversation" VALUES('fe447eb782c64f2fab78c365e6eea859','A title by a model','completed','sober-1',NULL,0.3,'',0,1,'2026-11-29 01:13:04.958000','2026-11-29 01:13:05.016',1,'85a6913706e445f6a0e82e9d985b0d89','',NULL,0);
INSERT INTO "chat_conversation" VALUES('cf3e664ea87d4e4c809f67fd5600c8bd','What has no title yet?','completed','gpt-5.5',NULL,NULL,'',0,1,'2026-11-29 01:14:02.105000','2026-11-29 01:14:02.160',1,'8f8880a155ae4e6d91826d7e9795a65f','',NULL,0);
INSERT INTO "chat_conversation" VALUES('615235c5cb2840afac60ed420a671e42','Why is the tide late?','streaming','gpt-5.5',345,NULL,'Answer as a sailor.',0,1,'2026-11-29 01:14:02.205000','2026-11-29 01:14:02.307',1,'e9e35cc83b3a42e5b2fc34d608153d49','low',NULL,0);
INSERT INTO "chat_conversation" VALUES('35c42b1f5d4e481f934c63b6d947c56a','Why is it late here?','streaming','gpt-5.5',NULL,NULL,'',0,1,'2026-11-29 01:14:02.395000','2026-11-29 01:14:02.397',2,'c5d9bf8cf3f3478ba108822af8cb754b','',NULL,0);
CREATE TABLE "chat_message" ("id" char(32) NOT NULL PRIMARY KEY, "role" varchar(9) NOT NULL, "content" text NOT NULL, "reasoning" text NOT NULL, "seams" text NOT NULL CHECK ((JSON_VALID("seams") OR "seams" IS NULL)), "is_complete" bool NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "model" varchar(100) NOT NULL, "provider" varchar(50) NOT NULL, "input_tokens" integer unsigned NULL CHECK ("input_tokens" >= 0), "output_tokens" integer unsigned NULL CHECK ("output_tokens" >= 0), "reasoning_tokens" integer unsigned NULL CHECK ("reasoning_tokens" >= 0), "cost" decimal NULL, "finish_reason" varchar(30) NOT NULL, "conversation_id" char(32) NOT NULL REFERENCES "chat_conversation" ("id") DEFERRABLE INITIALLY DEFERRED, "stream_id" bigint NULL REFERENCES "streaming_stream" ("id") DEFERRABLE INITIALLY DEFERRED, "parent_id" char(32) NULL REFERENCES "chat_message" ("id") DEFERRABLE INITIALLY DEFERRED, "thought" integer unsigned NULL CHECK ("thought" >= 0), CONSTRAINT "message_known_role" CHECK ("role" IN ('user', 'assistant')));
INSERT INTO "chat_message" VALUES('030bf9a5ffb845dcb8fad2e7d52429dc','user','Plan a quiet day. Be brief.','','[]',1,'2026-11-29 01:13:03.049','','',NULL,NULL,NULL,NULL,'','50b56022282a486a90eaceabf86fa04e',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('6e1424618ded457fb887f06b49f93195','assistant','# Notes from the tide line 🌊

This is the demo model speaking. I know one subject well, and I will always say the same things about the same prompt. You wrote:

> Plan a quiet day\. Be brief\.

Briefly, then. A holdfast is the part of kelp that grips the rock, and the reason the rest can afford to bend:

- the **tide** moves everything,
- the **blade** goes with it,
- the **holdfast** stays. ⚓

---

And so the water goes out again. Everything above is kept, whichever way you came to read it. 🌙','','[]',1,'2026-11-29 01:13:03.051000','demo-fast','demo',6,109,NULL,NULL,'stop','50b56022282a486a90eaceabf86fa04e',1,'030bf9a5ffb845dcb8fad2e7d52429dc',NULL);
INSERT INTO "chat_message" VALUES('6ec6c646d9814f499e5d5b3299c7768f','user','Why do tides lag the moon? Be brief.','','[]',1,'2026-11-29 01:13:03.397','','',NULL,NULL,NULL,NULL,'','cca20d18ff4045e1a341f282e19cddfb',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('51627bfa6b444f5e94b2b42b719c1b9a','assistant','# Notes from the tide line 🌊

This is the demo model speaking. I know one subject well, and I will always say the same things about the same prompt. You wrote:

> Why do tides lag the moon? Be brief\.

Briefly, then. A holdfast is the part of kelp that grips the rock, and the reason the rest can afford to bend:

- the **tide** moves everything,
- the **blade** goes with it,
- the **holdfast** stays. ⚓

---

And so the water goes out again. Everything above is kept, whichever way you came to read it. 🌙','','[]',1,'2026-11-29 01:13:03.398000','demo-fast','demo',8,111,NULL,NULL,'stop','cca20d18ff4045e1a341f282e19cddfb',2,'6ec6c646d9814f499e5d5b3299c7768f',NULL);
INSERT INTO "chat_message" VALUES('e38a1d8b77c14482ac42beb4f4971524','user','In other words: why? Be brief.','','[]',1,'2026-11-29 01:13:03.748','','',NULL,NULL,NULL,NULL,'','cca20d18ff4045e1a341f282e19cddfb',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('bae3367a37af4b53bcf46c6ae524b6b3','assistant','# What the current brings

Nobody trained me; I was simply *written*. But I arrive piece by piece like any other reply, so you can see how one behaves. You asked:

> In other words\: why? Be brief\.

Briefly, then. A holdfast is the part of kelp that grips the rock, and the reason the rest can afford to bend:

- the **tide** moves everything,
- the **blade** goes with it,
- the **holdfast** stays. ⚓

---

That is all I know, and it ended where I meant it to. Ask me something else and I will begin somewhere else. 🐚','','[]',1,'2026-11-29 01:13:03.750000','demo-fast','demo',6,115,NULL,NULL,'stop','cca20d18ff4045e1a341f282e19cddfb',3,'e38a1d8b77c14482ac42beb4f4971524',NULL);
INSERT INTO "chat_message" VALUES('e60085c40259480ebb2538fbb9bb8d7f','assistant','# Notes from the tide line 🌊

This is the demo model speaking. I know one subject well, and I will always say the same things about the same prompt. You wrote:

> Why do tides lag the moon? Be brief\.

Briefly, then. A holdfast is the part of kelp that grips the rock, and the reason the rest can afford to bend:

- the **tide** moves everything,
- the **blade** goes with it,
- the **holdfast** stays. ⚓

---

And so the water goes out again. Everything above is kept, whichever way you came to read it. 🌙','','[]',1,'2026-11-29 01:13:04.115000','demo-fast','demo',8,111,NULL,NULL,'stop','cca20d18ff4045e1a341f282e19cddfb',4,'6ec6c646d9814f499e5d5b3299c7768f',NULL);
INSERT INTO "chat_message" VALUES('f4dcf105aa7947a89350921d71156587','user','Tell me all of it.','','[]',1,'2026-11-29 01:13:04.450','','',NULL,NULL,NULL,NULL,'','5948f69d2e324ee6b199b0112e1849bc',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('ccf7206e3c9649cebc817fd1d0f8b19d','assistant','#','','[]',0,'2026-11-29 01:13:04.451000','demo','demo',NULL,NULL,NULL,NULL,'','5948f69d2e324ee6b199b0112e1849bc',5,'f4dcf105aa7947a89350921d71156587',NULL);
INSERT INTO "chat_message" VALUES('8eced42fa5824ca3a9fdfdf0f1764c83','user','Why is the sea late?','','[]',1,'2026-11-29 01:13:04.615','','',NULL,NULL,NULL,NULL,'','11ace71dfe854527abe3bb2e9e0b2b61',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('74fc348ae7a54946b8ec7443f11902fd','assistant','The sea is heavy, so it comes late.','First the moon, then the sea.','[18]',1,'2026-11-29 01:13:04.616000','gpt-5.5','openai',11,7,0,NULL,'stop','11ace71dfe854527abe3bb2e9e0b2b61',7,'8eced42fa5824ca3a9fdfdf0f1764c83',0);
INSERT INTO "chat_message" VALUES('ab1eb919ced34d52bf704333008f6961','user','Is the sea salt?','','[]',1,'2026-11-29 01:13:04.815','','',NULL,NULL,NULL,NULL,'','23f75439df5c4d508b83dde5cd716d20',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('31b7c763aa0b40daa54353ed28fa4ab2','assistant','','','[]',0,'2026-11-29 01:13:04.816000','gpt-5.5','openai',NULL,NULL,NULL,NULL,'','23f75439df5c4d508b83dde5cd716d20',9,'ab1eb919ced34d52bf704333008f6961',NULL);
INSERT INTO "chat_message" VALUES('d65922f48e7641f2a533f19efe3ce836','user','Is it only half?','','[]',1,'2026-11-29 01:13:04.889','','',NULL,NULL,NULL,NULL,'','c9608167d7de4b509ba9c2c40dc5de7f',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('dbe356553f8849dc8225f5796939828d','assistant','Half an answer','','[]',0,'2026-11-29 01:13:04.890000','gpt-5.5','openai',NULL,NULL,NULL,NULL,'','c9608167d7de4b509ba9c2c40dc5de7f',10,'d65922f48e7641f2a533f19efe3ce836',NULL);
INSERT INTO "chat_message" VALUES('7da8b84995324fdebe257c3c739d082c','user','Be sober.','','[]',1,'2026-11-29 01:13:04.958','','',NULL,NULL,NULL,NULL,'','fe447eb782c64f2fab78c365e6eea859',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('85a6913706e445f6a0e82e9d985b0d89','assistant','Without it.','','[]',1,'2026-11-29 01:13:04.960000','sober-1','openai',11,7,0,NULL,'stop','fe447eb782c64f2fab78c365e6eea859',11,'7da8b84995324fdebe257c3c739d082c',NULL);
INSERT INTO "chat_message" VALUES('9c416ab553b345bd95eaa66e2dae0574','user','What has no title yet?','','[]',1,'2026-11-29 01:14:02.105','','',NULL,NULL,NULL,NULL,'','cf3e664ea87d4e4c809f67fd5600c8bd',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('8f8880a155ae4e6d91826d7e9795a65f','assistant','It has the length of a title.','','[]',1,'2026-11-29 01:14:02.106000','gpt-5.5','openai',11,7,0,NULL,'stop','cf3e664ea87d4e4c809f67fd5600c8bd',14,'9c416ab553b345bd95eaa66e2dae0574',NULL);
INSERT INTO "chat_message" VALUES('26922bbbf3784f589e694148c471ff89','user','Why is the tide late?','','[]',1,'2026-11-29 01:14:02.206','','',NULL,NULL,NULL,NULL,'','615235c5cb2840afac60ed420a671e42',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('64ff7c01b0df41bc940de7ab36369d70','assistant','','','[]',0,'2026-11-29 01:14:02.206','gpt-5.5','openai',NULL,NULL,NULL,NULL,'','615235c5cb2840afac60ed420a671e42',16,'26922bbbf3784f589e694148c471ff89',NULL);
INSERT INTO "chat_message" VALUES('2ea9493881de4ff286c3217c7e5a43d9','user','And then?','','[]',1,'2026-11-29 01:14:02.304','','',NULL,NULL,NULL,NULL,'','615235c5cb2840afac60ed420a671e42',NULL,'64ff7c01b0df41bc940de7ab36369d70',NULL);
INSERT INTO "chat_message" VALUES('e9e35cc83b3a42e5b2fc34d608153d49','assistant','','','[]',0,'2026-11-29 01:14:02.307','gpt-5.5','openai',NULL,NULL,NULL,NULL,'','615235c5cb2840afac60ed420a671e42',17,'2ea9493881de4ff286c3217c7e5a43d9',NULL);
INSERT INTO "chat_message" VALUES('698cd384f0ab4619bd35b649e2878a5e','user','Why is it late here?','','[]',1,'2026-11-29 01:14:02.396','','',NULL,NULL,NULL,NULL,'','35c42b1f5d4e481f934c63b6d947c56a',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('c5d9bf8cf3f3478ba108822af8cb754b','assistant','','','[]',0,'2026-11-29 01:14:02.397','gpt-5.5','openai',NULL,NULL,NULL,NULL,'','35c42b1f5d4e481f934c63b6d947c56a',18,'698cd384f0ab4619bd35b649e2878a5e',NULL);
CREATE TABLE "chat_modeloverride" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "model_id" varchar(100) NOT NULL UNIQUE, "provider" varchar(50) NOT NULL, "label" varchar(100) NOT NULL, "hidden" bool NOT NULL, "context_window" integer unsigned NULL CHECK ("context_window" >= 0), "max_output" integer unsigned NULL CHECK ("max_output" >= 0), "takes_temperature" bool NULL, "efforts" varchar(100) NOT NULL, "input_price" decimal NULL, "output_price" decimal NULL, CONSTRAINT "model_override_both_prices_or_none" CHECK ((("input_price" IS NULL AND "output_price" IS NULL) OR ("input_price" IS NOT NULL AND "output_price" IS NOT NULL))));
INSERT INTO "chat_modeloverride" VALUES(1,'sober-1','openai','Sober, by its administrator',0,NULL,NULL,1,'',NULL,NULL);
CREATE TABLE "chat_refusedparameter" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "endpoint" varchar(300) NOT NULL, "model_id" varchar(100) NOT NULL, "parameter" varchar(30) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, CONSTRAINT "refused_parameter_once" UNIQUE ("endpoint", "model_id", "parameter"));
INSERT INTO "chat_refusedparameter" VALUES(1,'openai http://127.0.0.1:41253/v1','sober-1','temperature','2026-11-29 01:13:04.990');
CREATE TABLE "django_admin_log" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "object_id" text NULL, "object_repr" varchar(200) NOT NULL, "action_flag" smallint unsigned NOT NULL CHECK ("action_flag" >= 0), "change_message" text NOT NULL, "content_type_id" integer NULL REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "action_time" datetime NOT NULL);
INSERT INTO "django_admin_log" VALUES(1,'1','sober-1',1,'[{"added": {}}]',6,1,'2026-11-29 01:13:02.993462');
CREATE TABLE "django_content_type" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app_label" varchar(100) NOT NULL, "model" varchar(100) NOT NULL);
INSERT INTO "django_content_type" VALUES(1,'accounts','user');
INSERT INTO "django_content_type" VALUES(2,'accounts','apikey');
INSERT INTO "django_content_type" VALUES(3,'accounts','listedmodel');
INSERT INTO "django_content_type" VALUES(4,'chat','conversation');
INSERT INTO "django_content_type" VALUES(5,'chat','message');
INSERT INTO "django_content_type" VALUES(6,'chat','modeloverride');
INSERT INTO "django_content_type" VALUES(7,'chat','refusedparameter');
INSERT INTO "django_content_type" VALUES(8,'streaming','worker');
INSERT INTO "django_content_type" VALUES(9,'streaming','stream');
INSERT INTO "django_content_type" VALUES(10,'streaming','streamchunk');
INSERT INTO "django_content_type" VALUES(11,'account','emailaddress');
INSERT INTO "django_content_type" VALUES(12,'account','emailconfirmation');
INSERT INTO "django_content_type" VALUES(13,'admin','logentry');
INSERT INTO "django_content_type" VALUES(14,'auth','permission');
INSERT INTO "django_content_type" VALUES(15,'auth','group');
INSERT INTO "django_content_type" VALUES(16,'contenttypes','contenttype');
INSERT INTO "django_content_type" VALUES(17,'sessions','session');
CREATE TABLE "django_migrations" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" datetime NOT NULL);
INSERT INTO "django_migrations" VALUES(1,'contenttypes','0001_initial','2026-11-29 01:13:00.461575');
INSERT INTO "django_migrations" VALUES(2,'contenttypes','0002_remove_content_type_name','2026-11-29 01:13:00.468499');
INSERT INTO "django_migrations" VALUES(3,'auth','0001_initial','2026-11-29 01:13:00.474555');
INSERT INTO "django_migrations" VALUES(4,'auth','0002_alter_permission_name_max_length','2026-11-29 01:13:00.478873');
INSERT INTO "django_migrations" VALUES(5,'auth','0003_alter_user_email_max_length','2026-11-29 01:13:00.481499');
INSERT INTO "django_migrations" VALUES(6,'auth','0004_alter_user_username_opts','2026-11-29 01:13:00.484887');
INSERT INTO "django_migrations" VALUES(7,'auth','0005_alter_user_last_login_null','2026-11-29 01:13:00.488103');
INSERT INTO "django_migrations" VALUES(8,'auth','0006_require_contenttypes_0002','2026-11-29 01:13:00.488805');
INSERT INTO "django_migrations" VALUES(9,'auth','0007_alter_validators_add_error_messages','2026-11-29 01:13:00.491538');
INSERT INTO "django_migrations" VALUES(10,'auth','0008_alter_user_username_max_length','2026-11-29 01:13:00.493792');
INSERT INTO "django_migrations" VALUES(11,'auth','0009_alter_user_last_name_max_length','2026-11-29 01:13:00.498716');
INSERT INTO "django_migrations" VALUES(12,'auth','0010_alter_group_name_max_length','2026-11-29 01:13:00.518667');
INSERT INTO "django_migrations" VALUES(13,'auth','0011_update_proxy_permissions','2026-11-29 01:13:00.526991');
INSERT INTO "django_migrations" VALUES(14,'auth','0012_alter_user_first_name_max_length','2026-11-29 01:13:00.603738');
INSERT INTO "django_migrations" VALUES(15,'accounts','0001_initial','2026-11-29 01:13:00.626587');
INSERT INTO "django_migrations" VALUES(16,'account','0001_initial','2026-11-29 01:13:00.637176');
INSERT INTO "django_migrations" VALUES(17,'account','0002_email_max_length','2026-11-29 01:13:00.643689');
INSERT INTO "django_migrations" VALUES(18,'account','0003_alter_emailaddress_create_unique_verified_email','2026-11-29 01:13:00.653374');
INSERT INTO "django_migrations" VALUES(19,'account','0004_alter_emailaddress_drop_unique_email','2026-11-29 01:13:00.660145');
INSERT INTO "django_migrations" VALUES(20,'account','0005_emailaddress_idx_upper_email','2026-11-29 01:13:00.665526');
INSERT INTO "django_migrations" VALUES(21,'account','0006_emailaddress_lower','2026-11-29 01:13:00.670636');
INSERT INTO "django_migrations" VALUES(22,'account','0007_emailaddress_idx_email','2026-11-29 01:13:00.679728');
INSERT INTO "django_migrations" VALUES(23,'account','0008_emailaddress_unique_primary_email_fixup','2026-11-29 01:13:00.689161');
INSERT INTO "django_migrations" VALUES(24,'account','0009_emailaddress_unique_primary_email','2026-11-29 01:13:00.695328');
INSERT INTO "django_migrations" VALUES(25,'accounts','0002_cache_table','2026-11-29 01:13:00.703456');
INSERT INTO "django_migrations" VALUES(26,'accounts','0003_checked_keys','2026-11-29 01:13:00.712998');
INSERT INTO "django_migrations" VALUES(27,'accounts','0004_background_replies','2026-11-29 01:13:00.719751');
INSERT INTO "django_migrations" VALUES(28,'admin','0001_initial','2026-11-29 01:13:00.726534');
INSERT INTO "django_migrations" VALUES(29,'admin','0002_logentry_remove_auto_add','2026-11-29 01:13:00.737785');
INSERT INTO "django_migrations" VALUES(30,'admin','0003_logentry_add_action_flag_choices','2026-11-29 01:13:00.745425');
INSERT INTO "django_migrations" VALUES(31,'streaming','0001_initial','2026-11-29 01:13:00.812589');
INSERT INTO "django_migrations" VALUES(32,'chat','0001_initial','2026-11-29 01:13:00.869226');
INSERT INTO "django_migrations" VALUES(33,'chat','0002_models_on_offer','2026-11-29 01:13:00.880546');
INSERT INTO "django_migrations" VALUES(34,'chat','0003_listed','2026-11-29 01:13:00.904529');
INSERT INTO "django_migrations" VALUES(35,'chat','0004_thought','2026-11-29 01:13:00.910356');
INSERT INTO "django_migrations" VALUES(36,'sessions','0001_initial','2026-11-29 01:13:00.912676');
INSERT INTO "django_migrations" VALUES(37,'streaming','0002_room_for_updates','2026-11-29 01:13:00.921087');
CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL);
INSERT INTO "django_session" VALUES('yjrztwysne7auz2bpu7pubpk1eyzzf9l','.eJxVjMsOgyAURP-FdWN4iKC79kfI9XKJpBQTgW6a_nu1ceNyzsycDwPEteXq3rTFEMk7ekFMbMotpRtz0OriWqHNRc8mJtiFzYBPykcBKR24O3Xdf3PWpbvviXKNCDWu-XG-LqoFyrJ7zDgLq7XnnoToJUcerNWjJK4CWqmIGxpQQD9rCF4rZfjg5YCgdW_GINn3B2ejRxg:1xXTUQ:svb5tv6yc7ZN-cwwT106XNDfUxrcMX5iBWAgICXRGE4','2026-12-13 01:14:02.140775');
INSERT INTO "django_session" VALUES('tpec8tq3fvegaylf8ctdjj6u4xund41d','.eJxVjEEOgyAURO_CujGAguKuvQj58D-RlGIi0E3Tu1cbNy7nzcz7MPB-bbnaN20xREJLL4iJzbmldGMWWl1sK7TZiGxmkl2YA_-kfBSQ0oG7U9f9N2dduvueKNfoocY1P87XRbVAWXYPTmpwE2rJe-6wN0qCcEIBl46D4BNpJ1UIhCYA6WDGMBotBg8KpNEe2fcHfPZIBQ:1xXTTS:Dj7jf8p7vbRzvShAbxTSTr7P2c05o08bUNOtfrbPcAM','2026-12-13 01:13:02.358228');
INSERT INTO "django_session" VALUES('fvuyu0fh8xe0quvsgit04a1m5re0nmzh','.eJwdjEEOwjAMBL9i7RnUe288xShOsUSTNl5UUJW_E7jOzO6J1DQT84lNF8OMCRfws1n6Mdp7ONxkf1nQaxE-lHJoyL-Ru-XaTJwhR3Nak_ClDOFl_Kw12XPsk631mjWI3vsXukgniA:1xXTUQ:JBcg7AmBIl_2taFz-yvvOn1CW9BVlnb7c10im5p2VQ4','2026-12-13 01:14:02.052930');
CREATE TABLE "holdfast_cache" (
    "cache_key" varchar(255) NOT NULL PRIMARY KEY,
    "value" text NOT NULL,
    "expires" datetime NOT NULL
);
INSERT INTO "holdfast_cache" VALUES(':1:allauth:rl:allauth.account:signup:20/60/ip:ip:127.1.0.2','gAWVDQAAAAAAAABdlEdB2sLfB3dxgWEu','2026-11-29 01:14:01');
INSERT INTO "holdfast_cache" VALUES(':1:allauth:rl:allauth.account:signup:20/60/ip:ip:127.1.0.3','gAWVDQAAAAAAAABdlEdB2sLfB4oMRGEu','2026-11-29 01:14:02');
CREATE TABLE "streaming_stream" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "uuid" char(32) NOT NULL UNIQUE, "request_id" char(32) NOT NULL, "source" varchar(50) NOT NULL, "arguments" text NOT NULL CHECK ((JSON_VALID("arguments") OR "arguments" IS NULL)), "lane" varchar(64) NOT NULL, "state" varchar(12) NOT NULL, "epoch" integer unsigned NOT NULL CHECK ("epoch" >= 0), "attempts" smallint unsigned NOT NULL CHECK ("attempts" >= 0), "next_index" integer unsigned NOT NULL CHECK ("next_index" >= 0), "length" integer unsigned NOT NULL CHECK ("length" >= 0), "note" varchar(200) NOT NULL, "error_class" varchar(50) NOT NULL, "error" text NOT NULL, "error_detail" text NOT NULL, "finish_reason" varchar(30) NOT NULL, "usage" text NOT NULL CHECK ((JSON_VALID("usage") OR "usage" IS NULL)), "upstream_id" varchar(200) NOT NULL, "upstream_cursor" varchar(200) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "claimed_at" datetime NULL, "first_chunk_at" datetime NULL, "last_chunk_at" datetime NULL, "ended_at" datetime NULL, "folded_at" datetime NULL, "owner_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "worker_id" char(32) NULL REFERENCES "streaming_worker" ("id") DEFERRABLE INITIALLY DEFERRED, "continues_id" bigint NULL REFERENCES "streaming_stream" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "stream_once_per_request" UNIQUE ("owner_id", "request_id"), CONSTRAINT "stream_known_state" CHECK ("state" IN ('queued', 'running', 'completed', 'stopped', 'failed', 'interrupted')), CONSTRAINT "stream_ended_or_not" CHECK ((("ended_at" IS NULL AND "state" IN ('queued', 'running')) OR (NOT ("state" IN ('queued', 'running')) AND "ended_at" IS NOT NULL))));
INSERT INTO "streaming_stream" VALUES(1,'08768e4204aa4780863bc0daccfb9747','0ecc53211ff8426994c7b4677e0e7065','chat','{"message": "6e142461-8ded-457f-b887-f06b49f93195", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 13, "reserve": 8192, "window": 0}}','50b56022-282a-486a-90ea-ceabf86fa04e','completed',1,0,109,498,'','','','','stop','{"input": 6, "output": 109}','','','2026-11-29 01:13:03.051','2026-11-29 01:13:03.065','2026-11-29 01:13:03.092','2026-11-29 01:13:03.362','2026-11-29 01:13:03.363','2026-11-29 01:14:01.850',1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(2,'4548425841e54b8c87f3c73e31d4d95a','f82c6ee173744a9ab3e118a68358748f','chat','{"message": "51627bfa-6b44-4f5e-94b2-b42b719c1b9a", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 16, "reserve": 8192, "window": 0}}','cca20d18-ff40-45e1-a341-f282e19cddfb','completed',1,0,109,506,'','','','','stop','{"input": 8, "output": 111}','','','2026-11-29 01:13:03.398','2026-11-29 01:13:03.404','2026-11-29 01:13:03.419','2026-11-29 01:13:03.695','2026-11-29 01:13:03.695','2026-11-29 01:14:01.865',1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(3,'c6775f256c6244c2afa11826333bf279','684666905cf24c51a1650380a5382cb5','chat','{"message": "bae3367a-37af-4b53-bcf4-6c6ae524b6b3", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 14, "reserve": 8192, "window": 0}}','cca20d18-ff40-45e1-a341-f282e19cddfb','completed',1,0,114,519,'','','','','stop','{"input": 6, "output": 115}','','','2026-11-29 01:13:03.750','2026-11-29 01:13:03.761','2026-11-29 01:13:03.802','2026-11-29 01:13:04.087','2026-11-29 01:13:04.088','2026-11-29 01:14:01.868',1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(4,'9ede48150d724b2a857a30106af00cb3','e7c729d620c3482fb9b12f99c3a10671','chat','{"message": "e60085c4-0259-480e-bb25-38fbb9bb8d7f", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 16, "reserve": 8192, "window": 0}}','cca20d18-ff40-45e1-a341-f282e19cddfb','completed',1,0,108,506,'','','','','stop','{"input": 8, "output": 111}','','','2026-11-29 01:13:04.115','2026-11-29 01:13:04.127','2026-11-29 01:13:04.145','2026-11-29 01:13:04.424','2026-11-29 01:13:04.425','2026-11-29 01:14:01.910',1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(5,'f9514d2000e8461ab087f98fc7eb88a4','d2c2e2d98f9b4406af435469fde208fa','chat','{"message": "ccf7206e-3c96-49ce-bc81-7fd1d0f8b19d", "model": "demo", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 10, "reserve": 8192, "window": 0}}','5948f69d-2e32-4ee6-b199-b0112e1849bc','stopped',1,0,1,1,'','','','','','{}','','','2026-11-29 01:13:04.451','2026-11-29 01:13:04.462','2026-11-29 01:13:04.564','2026-11-29 01:13:04.564','2026-11-29 01:13:04.577','2026-11-29 01:14:01.919',1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(6,'81bb25cd76c74a9eb6fc88d254a2891a','07398d6e9b2d4b1f8cb134e9cb73bcf5','chat','{"message": "74fc348a-e7a5-4946-b8ec-7443f11902fd", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 11, "reserve": 8192, "window": 1000000}}','11ace71d-fe85-4527-abe3-bb2e9e0b2b61','stopped',1,0,2,18,'','','','','','{}','','','2026-11-29 01:13:04.616','2026-11-29 01:13:04.622','2026-11-29 01:13:04.657','2026-11-29 01:13:04.657','2026-11-29 01:13:04.681','2026-11-29 01:14:01.925',1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(7,'18dda16a488e4ade89ba6086e4e93076','6b345d34398f4d899ff9f1dd89bb4078','chat','{"message": "74fc348a-e7a5-4946-b8ec-7443f11902fd", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 3, "left_out": 0, "refers_back": false, "tokens": 116, "reserve": 8192, "window": 1000000}}','11ace71d-fe85-4527-abe3-bb2e9e0b2b61','completed',1,0,4,35,'','','','','stop','{"input": 11, "output": 7, "reasoning": 0, "cached": 0}','req_fake','','2026-11-29 01:13:04.725','2026-11-29 01:13:04.730','2026-11-29 01:13:04.761','2026-11-29 01:13:04.761','2026-11-29 01:13:04.768','2026-11-29 01:14:01.933',1,'fa7b2bbebc954a3fac8fe2beb26bed56',6);
INSERT INTO "streaming_stream" VALUES(8,'c29050b2f8ee49bdba21cd214ad1a3da','9d7c4b015ffa46fea8d810ddb4f51a19','title','{"message": "74fc348a-e7a5-4946-b8ec-7443f11902fd", "model": "gpt-5.5"}','11ace71d-fe85-4527-abe3-bb2e9e0b2b61 title','completed',1,0,1,18,'','','','','stop','{"input": 11, "output": 7, "reasoning": 0, "cached": 0}','req_fake','','2026-11-29 01:13:04.775','2026-11-29 01:13:04.784','2026-11-29 01:13:04.795','2026-11-29 01:13:04.795','2026-11-29 01:13:04.796','2026-11-29 01:14:01.938',1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(9,'44fff7068904417498f1d2b5e3e476cf','2960602131c14191afe8d3917b3d459c','chat','{"message": "31b7c763-aa0b-40da-a543-53ed28fa4ab2", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 10, "reserve": 8192, "window": 1000000}}','23f75439-df5c-4d50-8b83-dde5cd716d20','failed',1,0,0,0,'','bad_request','The provider could not work with this request.','Error code: 400','','{}','req_fake','','2026-11-29 01:13:04.816','2026-11-29 01:13:04.822',NULL,NULL,'2026-11-29 01:13:04.851','2026-11-29 01:14:01.940',1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(10,'ab336f9156ca48b39958d02ad4f137f6','494993fb21bc44518b70c3578c6166d0','chat','{"message": "dbe35655-3f88-49dc-8225-f5796939828d", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 10, "reserve": 8192, "window": 1000000}}','c9608167-d7de-4b50-9ba9-c2c40dc5de7f','interrupted',1,0,1,14,'','interrupted','The provider''s answer ended before it was complete.','','','{}','','','2026-11-29 01:13:04.890','2026-11-29 01:13:04.899','2026-11-29 01:13:04.924','2026-11-29 01:13:04.924','2026-11-29 01:13:04.929','2026-11-29 01:14:01.943',1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(11,'ce1ecb74a99e4a868233d65063fe74a3','da6673a9fc034e8eb0df24385bbfee4f','chat','{"message": "85a69137-06e4-45f6-a0e8-2e9d985b0d89", "model": "sober-1", "max_tokens": null, "temperature": 0.3, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 7, "reserve": 8192, "window": 0}}','fe447eb7-82c6-4f2f-ab78-c365e6eea859','completed',1,0,1,11,'','','','','stop','{"input": 11, "output": 7, "reasoning": 0, "cached": 0}','req_fake','','2026-11-29 01:13:04.959','2026-11-29 01:13:04.965','2026-11-29 01:13:05.007','2026-11-29 01:13:05.007','2026-11-29 01:13:05.012','2026-11-29 01:14:01.962',1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(12,'25d16b7201524bd8bebe7024cad3b990','09293e26ddf24f08b9c638fec2f86b6b','title','{"message": "85a69137-06e4-45f6-a0e8-2e9d985b0d89", "model": "sober-1"}','fe447eb7-82c6-4f2f-ab78-c365e6eea859 title','completed',1,0,1,18,'','','','','stop','{"input": 11, "output": 7, "reasoning": 0, "cached": 0}','req_fake','','2026-11-29 01:13:05.019','2026-11-29 01:13:05.030','2026-11-29 01:13:05.052','2026-11-29 01:13:05.052','2026-11-29 01:13:05.061','2026-11-29 01:14:01.964',1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(14,'441ffc02a841455dab7eafaca3391421','dfb9892cc9fb427dae058dd12ec09052','chat','{"message": "8f8880a1-55ae-4e6d-9182-6d7e9795a65f", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 12, "reserve": 8192, "window": 1000000}}','cf3e664e-a87d-4e4c-809f-67fd5600c8bd','completed',1,0,1,29,'','','','','stop','{"input": 11, "output": 7, "reasoning": 0, "cached": 0}','req_fake','','2026-11-29 01:14:02.106','2026-11-29 01:14:02.118','2026-11-29 01:14:02.148','2026-11-29 01:14:02.148','2026-11-29 01:14:02.156',NULL,1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(15,'689ba0ad46cd4f47b883a18d4f5dc2db','fd72e41825c145adb714f084d521a0ba','title','{"message": "8f8880a1-55ae-4e6d-9182-6d7e9795a65f", "model": "gpt-5.5"}','cf3e664e-a87d-4e4c-809f-67fd5600c8bd title','running',1,0,0,0,'','','','','','{}','','','2026-11-29 01:14:02.163','2026-11-29 01:14:02.173',NULL,NULL,NULL,NULL,1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(16,'b2e807d09d654ea0b1be74cad43f8fd0','f8632983a10344418ec4fb92fa8bd401','chat','{"message": "64ff7c01-b0df-41bc-940d-e7ab36369d70", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 11, "reserve": 8192, "window": 1000000}}','615235c5-cb28-40af-ac60-ed420a671e42','running',1,0,1,58,'','','','','','{}','','','2026-11-29 01:14:02.206','2026-11-29 01:14:02.221','2026-11-29 01:14:02.255','2026-11-29 01:14:02.255',NULL,NULL,1,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
INSERT INTO "streaming_stream" VALUES(17,'8e8efd567b0e40c9ac77f057da8a64b6','52fc252f1dfe4c77997dd6368ebde06e','chat','{"message": "e9e35cc8-3b3a-42e5-b2fc-34d608153d49", "model": "gpt-5.5", "max_tokens": 345, "temperature": null, "system_prompt": "Answer as a sailor.", "reasoning_effort": "low"}','615235c5-cb28-40af-ac60-ed420a671e42','queued',0,0,0,0,'Waiting for the reply before this one','','','','','{}','','','2026-11-29 01:14:02.307',NULL,NULL,NULL,NULL,NULL,1,NULL,NULL);
INSERT INTO "streaming_stream" VALUES(18,'c28336e84d974472b5261d841f512f0c','e95169ed27494bca93a0610e0f68a96f','chat','{"message": "c5d9bf8c-f3f3-478b-a108-822af8cb754b", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 11, "reserve": 8192, "window": 1000000}}','35c42b1f-5d4e-481f-934c-63b6d947c56a','running',1,0,1,58,'','','','','','{}','resp_00000014','5','2026-11-29 01:14:02.397','2026-11-29 01:14:02.424','2026-11-29 01:14:02.505','2026-11-29 01:14:02.505',NULL,NULL,2,'fa7b2bbebc954a3fac8fe2beb26bed56',NULL);
CREATE TABLE "streaming_streamchunk" ("stream_id" bigint NOT NULL, "index" integer unsigned NOT NULL CHECK ("index" >= 0), "offset" integer unsigned NOT NULL CHECK ("offset" >= 0), "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "kind" smallint unsigned NOT NULL CHECK ("kind" >= 0), "delta" text NOT NULL, PRIMARY KEY ("stream_id", "index"));
INSERT INTO "streaming_streamchunk" VALUES(14,0,0,'2026-11-29 01:14:02.149',0,'It has the length of a title.');
INSERT INTO "streaming_streamchunk" VALUES(16,0,0,'2026-11-29 01:14:02.255',0,'High tide comes hours after the moon has passed overhead, ');
INSERT INTO "streaming_streamchunk" VALUES(18,0,0,'2026-11-29 01:14:02.506',0,'High tide comes hours after the moon has passed overhead, ');
CREATE TABLE "streaming_worker" ("id" char(32) NOT NULL PRIMARY KEY, "name" varchar(100) NOT NULL, "started_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "lease_until" datetime NOT NULL, "draining" bool NOT NULL);
INSERT INTO "streaming_worker" VALUES('fa7b2bbebc954a3fac8fe2beb26bed56','vm 32547','2026-11-29 01:13:01.780','2026-11-29 01:14:14.040000',0);
CREATE UNIQUE INDEX "django_content_type_app_label_model_76bd3d3b_uniq" ON "django_content_type" ("app_label", "model");
CREATE UNIQUE INDEX "auth_group_permissions_group_id_permission_id_0cd325b0_uniq" ON "auth_group_permissions" ("group_id", "permission_id");
CREATE INDEX "auth_group_permissions_group_id_b120cbf9" ON "auth_group_permissions" ("group_id");
CREATE INDEX "auth_group_permissions_permission_id_84c5c92e" ON "auth_group_permissions" ("permission_id");
CREATE UNIQUE INDEX "auth_permission_content_type_id_codename_01ab375a_uniq" ON "auth_permission" ("content_type_id", "codename");
CREATE INDEX "auth_permission_content_type_id_2f476e4b" ON "auth_permission" ("content_type_id");
CREATE UNIQUE INDEX "accounts_user_groups_user_id_group_id_59c0b32f_uniq" ON "accounts_user_groups" ("user_id", "group_id");
CREATE INDEX "accounts_user_groups_user_id_52b62117" ON "accounts_user_groups" ("user_id");
CREATE INDEX "accounts_user_groups_group_id_bd11a704" ON "accounts_user_groups" ("group_id");
CREATE UNIQUE INDEX "accounts_user_user_permissions_user_id_permission_id_2ab516c2_uniq" ON "accounts_user_user_permissions" ("user_id", "permission_id");
CREATE INDEX "accounts_user_user_permissions_user_id_e4f0a161" ON "accounts_user_user_permissions" ("user_id");
CREATE INDEX "accounts_user_user_permissions_permission_id_113bb443" ON "accounts_user_user_permissions" ("permission_id");
CREATE INDEX "accounts_apikey_user_id_bd902026" ON "accounts_apikey" ("user_id");
CREATE INDEX "account_emailconfirmation_email_address_id_5b7f8c58" ON "account_emailconfirmation" ("email_address_id");
CREATE UNIQUE INDEX "account_emailaddress_user_id_email_987c8728_uniq" ON "account_emailaddress" ("user_id", "email");
CREATE UNIQUE INDEX "unique_verified_email" ON "account_emailaddress" ("email") WHERE "verified";
CREATE INDEX "account_emailaddress_user_id_2c513194" ON "account_emailaddress" ("user_id");
CREATE INDEX "account_emailaddress_email_03be32b2" ON "account_emailaddress" ("email");
CREATE UNIQUE INDEX "unique_primary_email" ON "account_emailaddress" ("user_id", "primary") WHERE "primary";
CREATE INDEX "holdfast_cache_expires" ON "holdfast_cache" ("expires");
CREATE INDEX "accounts_listedmodel_key_id_297dbbfa" ON "accounts_listedmodel" ("key_id");
CREATE INDEX "django_admin_log_content_type_id_c4bce8eb" ON "django_admin_log" ("content_type_id");
CREATE INDEX "django_admin_log_user_id_c564eba6" ON "django_admin_log" ("user_id");
CREATE INDEX "streaming_worker_lease_until_1491741a" ON "streaming_worker" ("lease_until");
CREATE INDEX "streaming_stream_owner_id_9d23e19f" ON "streaming_stream" ("owner_id");
CREATE INDEX "streaming_stream_worker_id_977f3c60" ON "streaming_stream" ("worker_id");
CREATE INDEX "streaming_stream_continues_id_61a5baeb" ON "streaming_stream" ("continues_id");
CREATE INDEX "stream_unfinished" ON "streaming_stream" ("id") WHERE "ended_at" IS NULL;
CREATE INDEX "stream_lane" ON "streaming_stream" ("lane", "id") WHERE "ended_at" IS NULL;
CREATE INDEX "stream_foldable" ON "streaming_stream" ("ended_at") WHERE "folded_at" IS NULL;
CREATE INDEX "chat_message_conversation_id_a1207bf4" ON "chat_message" ("conversation_id");
CREATE INDEX "chat_message_stream_id_a0681016" ON "chat_message" ("stream_id");
CREATE INDEX "chat_message_parent_id_d93c704f" ON "chat_message" ("parent_id");
CREATE INDEX "chat_conversation_user_id_15357b84" ON "chat_conversation" ("user_id");
CREATE INDEX "chat_conversation_leaf_id_c8407b41" ON "chat_conversation" ("leaf_id");
CREATE INDEX "conversation_newest" ON "chat_conversation" ("user_id", "updated_at" DESC);
CREATE INDEX "conversation_status" ON "chat_conversation" ("status");
CREATE INDEX "conversation_deleted" ON "chat_conversation" ("deleted_at") WHERE "deleted_at" IS NOT NULL;
CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date");
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('django_migrations',37);
INSERT INTO "sqlite_sequence" VALUES('django_content_type',17);
INSERT INTO "sqlite_sequence" VALUES('auth_permission',68);
INSERT INTO "sqlite_sequence" VALUES('auth_group',0);
INSERT INTO "sqlite_sequence" VALUES('accounts_apikey',2);
INSERT INTO "sqlite_sequence" VALUES('account_emailaddress',2);
INSERT INTO "sqlite_sequence" VALUES('accounts_user',2);
INSERT INTO "sqlite_sequence" VALUES('django_admin_log',1);
INSERT INTO "sqlite_sequence" VALUES('streaming_stream',18);
INSERT INTO "sqlite_sequence" VALUES('accounts_listedmodel',8);
INSERT INTO "sqlite_sequence" VALUES('chat_modeloverride',1);
INSERT INTO "sqlite_sequence" VALUES('chat_refusedparameter',1);
COMMIT;
