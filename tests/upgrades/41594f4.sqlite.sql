BEGIN TRANSACTION;
CREATE TABLE "account_emailaddress" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "verified" bool NOT NULL, "primary" bool NOT NULL, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "email" varchar(254) NOT NULL);
INSERT INTO "account_emailaddress" VALUES(1,0,1,1,'owner@holdfast.test');
INSERT INTO "account_emailaddress" VALUES(2,0,1,2,'colleague@holdfast.test');
CREATE TABLE "account_emailconfirmation" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "created" datetime NOT NULL, "sent" datetime NULL, "key" varchar(64) NOT NULL UNIQUE, "email_address_id" integer NOT NULL REFERENCES "account_emailaddress" ("id") DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE "accounts_apikey" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "provider" varchar(50) NOT NULL, "sealed" BLOB NOT NULL, "last_four" varchar(4) NOT NULL, "master_key_id" varchar(32) NOT NULL, "created_at" datetime NOT NULL, "last_used_at" datetime NULL, "last_checked_at" datetime NULL, "check_result" varchar(200) NOT NULL, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "api_key_one_per_provider" UNIQUE ("user_id", "provider"));
INSERT INTO "accounts_apikey" VALUES(1,'openai',X'B944F61FFBA805F93B29D1381430721594A7AEE19620486DC5797E6EDB8BF5F23D929BD9696161C20CC894D6260DE23438297EDC6AC7D6','cdef','sample','2026-11-29 01:15:41.111999','2026-11-29 01:16:39.002492','2026-11-29 01:15:41.124696','good',1);
INSERT INTO "accounts_apikey" VALUES(2,'openai',X'C4EBA99C7A96A4DC4191AECC1F5104B318B07F645253752D6F7F112F8AFC8D98FDA085EE6E8A4C7494B0FF693D691D1B14F291C5B50E90','cdef','sample','2026-11-29 01:15:41.293456','2026-11-29 01:16:39.272996','2026-11-29 01:15:41.308079','good',2);
CREATE TABLE "accounts_cacheentry" ("key" varchar(255) NOT NULL PRIMARY KEY, "value" text NOT NULL, "expires_at" real NOT NULL);
INSERT INTO "accounts_cacheentry" VALUES(':1:allauth:rl:allauth.account:signup:20/60/ip:ip:127.1.0.2','[1795914938.3776293]',1.79591499837769603725e+09);
INSERT INTO "accounts_cacheentry" VALUES(':1:allauth:rl:allauth.account:signup:20/60/ip:ip:127.1.0.3','[1795914939.2183387]',1.79591499921838259699e+09);
INSERT INTO "accounts_cacheentry" VALUES(':1:limit:key-check:6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b','1',1.79591499995790100097e+09);
INSERT INTO "accounts_cacheentry" VALUES(':1:limit:key-check:d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35','1',1.79591500124520444875e+09);
INSERT INTO "accounts_cacheentry" VALUES(':1:allauth:rl:holdfast:draft:10/600.0/ip:ip:127.1.0.4','[1795914998.4293907]',1.79591559842949628831e+09);
INSERT INTO "accounts_cacheentry" VALUES(':1:allauth:rl:holdfast:draft:500/3600/key:10eb99d2d879b4e3f5c9342a7bcb040b90153d5c9ebfa125f47d4467c5947530','[1795914998.4491923]',1.79591859844924235344e+09);
INSERT INTO "accounts_cacheentry" VALUES(':1:limit:drafts-of-all:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855','1',1.79600139846879863735e+09);
INSERT INTO "accounts_cacheentry" VALUES(':1:allauth:rl:holdfast:session:60/600.0/ip:ip:127.1.0.4','[1795914998.4946535]',1.79591559849470233916e+09);
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
INSERT INTO "accounts_user" VALUES(1,'pbkdf2_sha256$1000000$t4yqkQ7q8Nwyq51lXGCW5W$QVW2GbuwAhiQnD1D2fboZ420sl+QVs9lOHsG6QjhvD4=','2026-11-29 01:15:38.983396',1,'owner@holdfast.test','','',1,1,'2026-11-29 01:15:38.453625',43,0);
INSERT INTO "accounts_user" VALUES(2,'pbkdf2_sha256$1000000$0xEzu9497S2Wq3mZ2tSmkx$t9rYa5nL/bpWM4OoduvZ2OhyACw5erfvdSsEMv9BKBM=','2026-11-29 01:15:39.858889',0,'colleague@holdfast.test','','',1,0,'2026-11-29 01:15:39.224345',1,1);
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
INSERT INTO "auth_permission" VALUES(13,4,'add_cacheentry','Can add cache entry');
INSERT INTO "auth_permission" VALUES(14,4,'change_cacheentry','Can change cache entry');
INSERT INTO "auth_permission" VALUES(15,4,'delete_cacheentry','Can delete cache entry');
INSERT INTO "auth_permission" VALUES(16,4,'view_cacheentry','Can view cache entry');
INSERT INTO "auth_permission" VALUES(17,5,'add_conversation','Can add conversation');
INSERT INTO "auth_permission" VALUES(18,5,'change_conversation','Can change conversation');
INSERT INTO "auth_permission" VALUES(19,5,'delete_conversation','Can delete conversation');
INSERT INTO "auth_permission" VALUES(20,5,'view_conversation','Can view conversation');
INSERT INTO "auth_permission" VALUES(21,6,'add_message','Can add message');
INSERT INTO "auth_permission" VALUES(22,6,'change_message','Can change message');
INSERT INTO "auth_permission" VALUES(23,6,'delete_message','Can delete message');
INSERT INTO "auth_permission" VALUES(24,6,'view_message','Can view message');
INSERT INTO "auth_permission" VALUES(25,7,'add_modeloverride','Can add model override');
INSERT INTO "auth_permission" VALUES(26,7,'change_modeloverride','Can change model override');
INSERT INTO "auth_permission" VALUES(27,7,'delete_modeloverride','Can delete model override');
INSERT INTO "auth_permission" VALUES(28,7,'view_modeloverride','Can view model override');
INSERT INTO "auth_permission" VALUES(29,8,'add_refusedparameter','Can add refused parameter');
INSERT INTO "auth_permission" VALUES(30,8,'change_refusedparameter','Can change refused parameter');
INSERT INTO "auth_permission" VALUES(31,8,'delete_refusedparameter','Can delete refused parameter');
INSERT INTO "auth_permission" VALUES(32,8,'view_refusedparameter','Can view refused parameter');
INSERT INTO "auth_permission" VALUES(33,9,'add_renderedtext','Can add rendered text');
INSERT INTO "auth_permission" VALUES(34,9,'change_renderedtext','Can change rendered text');
INSERT INTO "auth_permission" VALUES(35,9,'delete_renderedtext','Can delete rendered text');
INSERT INTO "auth_permission" VALUES(36,9,'view_renderedtext','Can view rendered text');
INSERT INTO "auth_permission" VALUES(37,10,'add_worker','Can add worker');
INSERT INTO "auth_permission" VALUES(38,10,'change_worker','Can change worker');
INSERT INTO "auth_permission" VALUES(39,10,'delete_worker','Can delete worker');
INSERT INTO "auth_permission" VALUES(40,10,'view_worker','Can view worker');
INSERT INTO "auth_permission" VALUES(41,11,'add_stream','Can add stream');
INSERT INTO "auth_permission" VALUES(42,11,'change_stream','Can change stream');
INSERT INTO "auth_permission" VALUES(43,11,'delete_stream','Can delete stream');
INSERT INTO "auth_permission" VALUES(44,11,'view_stream','Can view stream');
INSERT INTO "auth_permission" VALUES(45,12,'add_streamchunk','Can add stream chunk');
INSERT INTO "auth_permission" VALUES(46,12,'change_streamchunk','Can change stream chunk');
INSERT INTO "auth_permission" VALUES(47,12,'delete_streamchunk','Can delete stream chunk');
INSERT INTO "auth_permission" VALUES(48,12,'view_streamchunk','Can view stream chunk');
INSERT INTO "auth_permission" VALUES(49,13,'add_emailaddress','Can add email address');
INSERT INTO "auth_permission" VALUES(50,13,'change_emailaddress','Can change email address');
INSERT INTO "auth_permission" VALUES(51,13,'delete_emailaddress','Can delete email address');
INSERT INTO "auth_permission" VALUES(52,13,'view_emailaddress','Can view email address');
INSERT INTO "auth_permission" VALUES(53,14,'add_emailconfirmation','Can add email confirmation');
INSERT INTO "auth_permission" VALUES(54,14,'change_emailconfirmation','Can change email confirmation');
INSERT INTO "auth_permission" VALUES(55,14,'delete_emailconfirmation','Can delete email confirmation');
INSERT INTO "auth_permission" VALUES(56,14,'view_emailconfirmation','Can view email confirmation');
INSERT INTO "auth_permission" VALUES(57,15,'add_logentry','Can add log entry');
INSERT INTO "auth_permission" VALUES(58,15,'change_logentry','Can change log entry');
INSERT INTO "auth_permission" VALUES(59,15,'delete_logentry','Can delete log entry');
INSERT INTO "auth_permission" VALUES(60,15,'view_logentry','Can view log entry');
INSERT INTO "auth_permission" VALUES(61,16,'add_permission','Can add permission');
INSERT INTO "auth_permission" VALUES(62,16,'change_permission','Can change permission');
INSERT INTO "auth_permission" VALUES(63,16,'delete_permission','Can delete permission');
INSERT INTO "auth_permission" VALUES(64,16,'view_permission','Can view permission');
INSERT INTO "auth_permission" VALUES(65,17,'add_group','Can add group');
INSERT INTO "auth_permission" VALUES(66,17,'change_group','Can change group');
INSERT INTO "auth_permission" VALUES(67,17,'delete_group','Can delete group');
INSERT INTO "auth_permission" VALUES(68,17,'view_group','Can view group');
INSERT INTO "auth_permission" VALUES(69,18,'add_contenttype','Can add content type');
INSERT INTO "auth_permission" VALUES(70,18,'change_contenttype','Can change content type');
INSERT INTO "auth_permission" VALUES(71,18,'delete_contenttype','Can delete content type');
INSERT INTO "auth_permission" VALUES(72,18,'view_contenttype','Can view content type');
INSERT INTO "auth_permission" VALUES(73,19,'add_session','Can add session');
INSERT INTO "auth_permission" VALUES(74,19,'change_session','Can change session');
INSERT INTO "auth_permission" VALUES(75,19,'delete_session','Can delete session');
INSERT INTO "auth_permission" VALUES(76,19,'view_session','Can view session');
CREATE TABLE "chat_conversation" ("id" char(32) NOT NULL PRIMARY KEY, "title" varchar(200) NOT NULL, "status" varchar(10) NOT NULL, "model" varchar(100) NOT NULL, "max_tokens" integer unsigned NULL CHECK ("max_tokens" >= 0), "temperature" real NULL, "system_prompt" text NOT NULL, "pinned" bool NOT NULL, "read" bool NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "updated_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "leaf_id" char(32) NULL REFERENCES "chat_message" ("id") DEFERRABLE INITIALLY DEFERRED, "reasoning_effort" varchar(20) NOT NULL, "deleted_at" datetime NULL, "named" bool NOT NULL, CONSTRAINT "conversation_known_status" CHECK ("status" IN ('idle', 'streaming', 'completed', 'error')));
INSERT INTO "chat_conversation" VALUES('094c86a1007044cd8d3dc4909a849ecc','A quiet day','completed','demo-fast',NULL,NULL,'',0,1,'2026-11-29 01:15:41.440000','2026-11-29 01:15:41.854',1,'f60b13e8bc8746a9a663254fb87d92b9','',NULL,1);
INSERT INTO "chat_conversation" VALUES('af8648f2569547dba62a1bf3d297388d','Why do tides lag the moon? Be brief.','completed','demo-fast',NULL,NULL,'',1,1,'2026-11-29 01:15:41.940000','2026-11-29 01:15:43.264',1,'3c3d0d555aea419e854200bfd2f2c318','',NULL,0);
INSERT INTO "chat_conversation" VALUES('a8dbef4b70fa495ba753a1d42b57678b','Tell me all of it.','completed','demo',NULL,NULL,'',0,1,'2026-11-29 01:15:43.281000','2026-11-29 01:15:43.533',1,'ef3254a5c5ef454c824d37af008f11e9','',NULL,0);
INSERT INTO "chat_conversation" VALUES('4dae83974bdc4ff38f42c16bd48d4778','A title by a model','completed','gpt-5.5',NULL,NULL,'',0,1,'2026-11-29 01:15:43.626000','2026-11-29 01:15:43.939',1,'fafa797cd25b40bf8073427e708bbb0b','',NULL,0);
INSERT INTO "chat_conversation" VALUES('c8cff1594c044766ba44647206a9f840','Is the sea salt?','error','gpt-5.5',NULL,NULL,'',0,1,'2026-11-29 01:15:44.158000','2026-11-29 01:15:44.280',1,'9a8fab41aaf84f3b9d09ad88eafdde24','',NULL,0);
INSERT INTO "chat_conversation" VALUES('5dcc195d3d3f4a09b5bc2799b86a3ea6','Is it only half?','error','gpt-5.5',NULL,NULL,'',0,1,'2026-11-29 01:15:44.315000','2026-11-29 01:15:44.483',1,'43b5c595d2674f329f894192abc138b0','',NULL,0);
INSERT INTO "chat_conversation" VALUES('14335f163f6d4f90b349033a004a2ddc','A title by a model','completed','sober-1',NULL,0.3,'',0,1,'2026-11-29 01:15:44.558000','2026-11-29 01:15:44.757',1,'3218d80f2cb14388b0dc1bef32e9dbd9','',NULL,0);
INSERT INTO "chat_conversation" VALUES('2feb4a213cf146d19ea545ed9a4e8fe6','What has no title yet?','completed','gpt-5.5',NULL,NULL,'',0,1,'2026-11-29 01:16:38.557000','2026-11-29 01:16:38.660',1,'c633b704bb4c4ccc8b82990385a6b875','',NULL,0);
INSERT INTO "chat_conversation" VALUES('4bac73e104d74ddf9a4ddd243fd2b793','Why is the tide late?','streaming','gpt-5.5',345,NULL,'Answer as a sailor.',0,1,'2026-11-29 01:16:38.877000','2026-11-29 01:16:39.052',1,'256c72f1f4e14ba8bae6524bfea9e7f0','low',NULL,0);
INSERT INTO "chat_conversation" VALUES('89d7516839b9472a836a960d0e067933','Why is it late here?','streaming','gpt-5.5',NULL,NULL,'',0,1,'2026-11-29 01:16:39.220000','2026-11-29 01:16:39.224',2,'ff13fe1b7860476798bea828b6bcd1db','',NULL,0);
CREATE TABLE "chat_message" ("id" char(32) NOT NULL PRIMARY KEY, "role" varchar(9) NOT NULL, "content" text NOT NULL, "reasoning" text NOT NULL, "seams" text NOT NULL CHECK ((JSON_VALID("seams") OR "seams" IS NULL)), "is_complete" bool NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "model" varchar(100) NOT NULL, "provider" varchar(50) NOT NULL, "input_tokens" integer unsigned NULL CHECK ("input_tokens" >= 0), "output_tokens" integer unsigned NULL CHECK ("output_tokens" >= 0), "reasoning_tokens" integer unsigned NULL CHECK ("reasoning_tokens" >= 0), "cost" decimal NULL, "finish_reason" varchar(30) NOT NULL, "conversation_id" char(32) NOT NULL REFERENCES "chat_conversation" ("id") DEFERRABLE INITIALLY DEFERRED, "stream_id" bigint NULL REFERENCES "streaming_stream" ("id") DEFERRABLE INITIALLY DEFERRED, "parent_id" char(32) NULL REFERENCES "chat_message" ("id") DEFERRABLE INITIALLY DEFERRED, "thought" integer unsigned NULL CHECK ("thought" >= 0), CONSTRAINT "message_known_role" CHECK ("role" IN ('user', 'assistant')));
INSERT INTO "chat_message" VALUES('e06f6142ac714336baaa35c9bf8f7eb2','user','Plan a quiet day. Be brief.','','[]',1,'2026-11-29 01:15:41.440','','',NULL,NULL,NULL,NULL,'','094c86a1007044cd8d3dc4909a849ecc',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('f60b13e8bc8746a9a663254fb87d92b9','assistant','# Notes from the tide line 🌊

This is the demo model speaking. I know one subject well, and I will always say the same things about the same prompt. You wrote:

> Plan a quiet day\. Be brief\.

Briefly, then. A holdfast is the part of kelp that grips the rock, and the reason the rest can afford to bend:

- the **tide** moves everything,
- the **blade** goes with it,
- the **holdfast** stays. ⚓

---

And so the water goes out again. Everything above is kept, whichever way you came to read it. 🌙','','[]',1,'2026-11-29 01:15:41.444000','demo-fast','demo',6,109,NULL,NULL,'stop','094c86a1007044cd8d3dc4909a849ecc',1,'e06f6142ac714336baaa35c9bf8f7eb2',NULL);
INSERT INTO "chat_message" VALUES('26f9a94949b54e5cad0cd4eb204dc365','user','Why do tides lag the moon? Be brief.','','[]',1,'2026-11-29 01:15:41.940','','',NULL,NULL,NULL,NULL,'','af8648f2569547dba62a1bf3d297388d',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('218b5013814e41a384f3957a860a700b','assistant','# Notes from the tide line 🌊

This is the demo model speaking. I know one subject well, and I will always say the same things about the same prompt. You wrote:

> Why do tides lag the moon? Be brief\.

Briefly, then. A holdfast is the part of kelp that grips the rock, and the reason the rest can afford to bend:

- the **tide** moves everything,
- the **blade** goes with it,
- the **holdfast** stays. ⚓

---

And so the water goes out again. Everything above is kept, whichever way you came to read it. 🌙','','[]',1,'2026-11-29 01:15:41.952000','demo-fast','demo',8,111,NULL,NULL,'stop','af8648f2569547dba62a1bf3d297388d',2,'26f9a94949b54e5cad0cd4eb204dc365',NULL);
INSERT INTO "chat_message" VALUES('e6d0b1d16e9f48de935ad5ebf10380fa','user','In other words: why? Be brief.','','[]',1,'2026-11-29 01:15:42.457','','',NULL,NULL,NULL,NULL,'','af8648f2569547dba62a1bf3d297388d',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('c02a8dc768fc4f3da98bf468cb12a187','assistant','# What the current brings

Nobody trained me; I was simply *written*. But I arrive piece by piece like any other reply, so you can see how one behaves. You asked:

> In other words\: why? Be brief\.

Briefly, then. A holdfast is the part of kelp that grips the rock, and the reason the rest can afford to bend:

- the **tide** moves everything,
- the **blade** goes with it,
- the **holdfast** stays. ⚓

---

That is all I know, and it ended where I meant it to. Ask me something else and I will begin somewhere else. 🐚','','[]',1,'2026-11-29 01:15:42.461000','demo-fast','demo',6,115,NULL,NULL,'stop','af8648f2569547dba62a1bf3d297388d',3,'e6d0b1d16e9f48de935ad5ebf10380fa',NULL);
INSERT INTO "chat_message" VALUES('3c3d0d555aea419e854200bfd2f2c318','assistant','# Notes from the tide line 🌊

This is the demo model speaking. I know one subject well, and I will always say the same things about the same prompt. You wrote:

> Why do tides lag the moon? Be brief\.

Briefly, then. A holdfast is the part of kelp that grips the rock, and the reason the rest can afford to bend:

- the **tide** moves everything,
- the **blade** goes with it,
- the **holdfast** stays. ⚓

---

And so the water goes out again. Everything above is kept, whichever way you came to read it. 🌙','','[]',1,'2026-11-29 01:15:42.874000','demo-fast','demo',8,111,NULL,NULL,'stop','af8648f2569547dba62a1bf3d297388d',4,'26f9a94949b54e5cad0cd4eb204dc365',NULL);
INSERT INTO "chat_message" VALUES('2a6d5acf3b384525b059eabdf7587628','user','Tell me all of it.','','[]',1,'2026-11-29 01:15:43.281','','',NULL,NULL,NULL,NULL,'','a8dbef4b70fa495ba753a1d42b57678b',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('ef3254a5c5ef454c824d37af008f11e9','assistant','#','','[]',0,'2026-11-29 01:15:43.293000','demo','demo',NULL,NULL,NULL,NULL,'','a8dbef4b70fa495ba753a1d42b57678b',5,'2a6d5acf3b384525b059eabdf7587628',NULL);
INSERT INTO "chat_message" VALUES('db08b7cb2b18483fbbe52e9e6f6ce8b7','user','Why is the sea late?','','[]',1,'2026-11-29 01:15:43.627','','',NULL,NULL,NULL,NULL,'','4dae83974bdc4ff38f42c16bd48d4778',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('fafa797cd25b40bf8073427e708bbb0b','assistant','The sea is heavy, so it comes late.','First the moon, then the sea.','[18]',1,'2026-11-29 01:15:43.630000','gpt-5.5','openai',11,7,0,NULL,'stop','4dae83974bdc4ff38f42c16bd48d4778',7,'db08b7cb2b18483fbbe52e9e6f6ce8b7',0);
INSERT INTO "chat_message" VALUES('61e5a755dc5342d3a0b5db1b50f03559','user','Is the sea salt?','','[]',1,'2026-11-29 01:15:44.158','','',NULL,NULL,NULL,NULL,'','c8cff1594c044766ba44647206a9f840',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('9a8fab41aaf84f3b9d09ad88eafdde24','assistant','','','[]',0,'2026-11-29 01:15:44.173000','gpt-5.5','openai',NULL,NULL,NULL,NULL,'','c8cff1594c044766ba44647206a9f840',9,'61e5a755dc5342d3a0b5db1b50f03559',NULL);
INSERT INTO "chat_message" VALUES('20fd782b0e0f418b871753f4de6eef5b','user','Is it only half?','','[]',1,'2026-11-29 01:15:44.315','','',NULL,NULL,NULL,NULL,'','5dcc195d3d3f4a09b5bc2799b86a3ea6',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('43b5c595d2674f329f894192abc138b0','assistant','Half an answer','','[]',0,'2026-11-29 01:15:44.319000','gpt-5.5','openai',NULL,NULL,NULL,NULL,'','5dcc195d3d3f4a09b5bc2799b86a3ea6',10,'20fd782b0e0f418b871753f4de6eef5b',NULL);
INSERT INTO "chat_message" VALUES('4239b99308b846c8902b629ba81cc485','user','Be sober.','','[]',1,'2026-11-29 01:15:44.566','','',NULL,NULL,NULL,NULL,'','14335f163f6d4f90b349033a004a2ddc',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('3218d80f2cb14388b0dc1bef32e9dbd9','assistant','Without it.','','[]',1,'2026-11-29 01:15:44.583000','sober-1','openai',11,7,0,NULL,'stop','14335f163f6d4f90b349033a004a2ddc',11,'4239b99308b846c8902b629ba81cc485',NULL);
INSERT INTO "chat_message" VALUES('8925e00da985434c9683652928fe4eb1','user','What has no title yet?','','[]',1,'2026-11-29 01:16:38.558','','',NULL,NULL,NULL,NULL,'','2feb4a213cf146d19ea545ed9a4e8fe6',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('c633b704bb4c4ccc8b82990385a6b875','assistant','It has the length of a title.','','[]',1,'2026-11-29 01:16:38.566000','gpt-5.5','openai',11,7,0,NULL,'stop','2feb4a213cf146d19ea545ed9a4e8fe6',14,'8925e00da985434c9683652928fe4eb1',NULL);
INSERT INTO "chat_message" VALUES('2a4359861a20457789d7c5fa93141a42','user','Why is the tide late?','','[]',1,'2026-11-29 01:16:38.878','','',NULL,NULL,NULL,NULL,'','4bac73e104d74ddf9a4ddd243fd2b793',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('633c7cec5e1b4e83bab0dafd3d2fd207','assistant','','','[]',0,'2026-11-29 01:16:38.894','gpt-5.5','openai',NULL,NULL,NULL,NULL,'','4bac73e104d74ddf9a4ddd243fd2b793',16,'2a4359861a20457789d7c5fa93141a42',NULL);
INSERT INTO "chat_message" VALUES('0e812b5319c047be8c10a778ec045c8a','user','And then?','','[]',1,'2026-11-29 01:16:39.032','','',NULL,NULL,NULL,NULL,'','4bac73e104d74ddf9a4ddd243fd2b793',NULL,'633c7cec5e1b4e83bab0dafd3d2fd207',NULL);
INSERT INTO "chat_message" VALUES('256c72f1f4e14ba8bae6524bfea9e7f0','assistant','','','[]',0,'2026-11-29 01:16:39.052','gpt-5.5','openai',NULL,NULL,NULL,NULL,'','4bac73e104d74ddf9a4ddd243fd2b793',17,'0e812b5319c047be8c10a778ec045c8a',NULL);
INSERT INTO "chat_message" VALUES('2fcc760925144bb0b359675f830af244','user','Why is it late here?','','[]',1,'2026-11-29 01:16:39.220','','',NULL,NULL,NULL,NULL,'','89d7516839b9472a836a960d0e067933',NULL,NULL,NULL);
INSERT INTO "chat_message" VALUES('ff13fe1b7860476798bea828b6bcd1db','assistant','','','[]',0,'2026-11-29 01:16:39.224','gpt-5.5','openai',NULL,NULL,NULL,NULL,'','89d7516839b9472a836a960d0e067933',18,'2fcc760925144bb0b359675f830af244',NULL);
CREATE TABLE "chat_modeloverride" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "model_id" varchar(100) NOT NULL UNIQUE, "provider" varchar(50) NOT NULL, "label" varchar(100) NOT NULL, "hidden" bool NOT NULL, "context_window" integer unsigned NULL CHECK ("context_window" >= 0), "max_output" integer unsigned NULL CHECK ("max_output" >= 0), "takes_temperature" bool NULL, "efforts" varchar(100) NOT NULL, "input_price" decimal NULL, "output_price" decimal NULL, CONSTRAINT "model_override_both_prices_or_none" CHECK ((("input_price" IS NULL AND "output_price" IS NULL) OR ("input_price" IS NOT NULL AND "output_price" IS NOT NULL))));
INSERT INTO "chat_modeloverride" VALUES(1,'sober-1','openai','Sober, by its administrator',0,NULL,NULL,1,'',NULL,NULL);
CREATE TABLE "chat_refusedparameter" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "endpoint" varchar(300) NOT NULL, "model_id" varchar(100) NOT NULL, "parameter" varchar(30) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, CONSTRAINT "refused_parameter_once" UNIQUE ("endpoint", "model_id", "parameter"));
INSERT INTO "chat_refusedparameter" VALUES(1,'openai http://127.0.0.1:37461/v1','sober-1','temperature','2026-11-29 01:15:44.670');
CREATE TABLE "chat_renderedtext" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "field" varchar(9) NOT NULL, "digest" varchar(64) NOT NULL, "html" text NOT NULL, "size" integer unsigned NOT NULL CHECK ("size" >= 0), "message_id" char(32) NOT NULL, CONSTRAINT "rendered_text_once" UNIQUE ("message_id", "field"));
INSERT INTO "chat_renderedtext" VALUES(1,'content','2604143d8045bd0127b1ae5fea4c10b742b291a8c63075cae3822478da3e1512','eAFtkjGO1jAQha/yDvArkShRFLQrUdBQISHKSTyJTRyPsZ0/yhVW21FBw904AUdgnJ9lASGlcTzfzJv33NkX/VspnDElWVEsozjD8C4wfnx7fOharehi/866DP1qheFVsIphjxyZFhfmBm+wBNkhyuVt+Mhjwc7eX0DB6OXuvAf5nY6MTMfZJ9Oq46ziGTTIVp7/RlUTS4MPsmFPKvBl18a+G7yMy6dNz1XTe3vAyCk4w9N84qtIeIV7xpAcT82JtX9z9/XGH5daHxrcwYo3E+XytGCkVCATFvZRi6hgTi7elk+q4LZUtSIxZQnn4MTaYKQAmiZJBkUwcDA34ZvvO+/6inS5JAlzX33u2l8HtfOqIfCV03E6cularf+XGTz9Cc2izO6KhSv/B542ex6Ui0bQ4PvXz7cJbZVmU/XzTpPK6qeK3Klwwtm/5kIzOXXq9W95Na8rV78WjuWC3brRVvVKHjg0tfEMV6pDRuU19TV9qWn8BP3/37M=',504,'218b5013814e41a384f3957a860a700b');
INSERT INTO "chat_renderedtext" VALUES(2,'content','271b9d61aa9d3d8c1fc606c7addd10357e9cb9fb297f4dbc40c468a1e2d7e8e2','eAGzyTCys9EHEgAL+QJY',20,'ef3254a5c5ef454c824d37af008f11e9');
INSERT INTO "chat_renderedtext" VALUES(4,'reasoning','4d8df8bcc0bb59028525ab050f275fc9825a1a6fa77c3863c074e346640e0098','eAGzKbBzyywqLlEoyUhVyM3Pz9MBsfLA3OLURD0b/QI7AOdGDCk=',52,'fafa797cd25b40bf8073427e708bbb0b');
INSERT INTO "chat_renderedtext" VALUES(5,'content','2604143d8045bd0127b1ae5fea4c10b742b291a8c63075cae3822478da3e1512','eAFtkjGO1jAQha/yDvArkShRFLQrUdBQISHKSTyJTRyPsZ0/yhVW21FBw904AUdgnJ9lASGlcTzfzJv33NkX/VspnDElWVEsozjD8C4wfnx7fOharehi/866DP1qheFVsIphjxyZFhfmBm+wBNkhyuVt+Mhjwc7eX0DB6OXuvAf5nY6MTMfZJ9Oq46ziGTTIVp7/RlUTS4MPsmFPKvBl18a+G7yMy6dNz1XTe3vAyCk4w9N84qtIeIV7xpAcT82JtX9z9/XGH5daHxrcwYo3E+XytGCkVCATFvZRi6hgTi7elk+q4LZUtSIxZQnn4MTaYKQAmiZJBkUwcDA34ZvvO+/6inS5JAlzX33u2l8HtfOqIfCV03E6cularf+XGTz9Cc2izO6KhSv/B542ex6Ui0bQ4PvXz7cJbZVmU/XzTpPK6qeK3Klwwtm/5kIzOXXq9W95Na8rV78WjuWC3brRVvVKHjg0tfEMV6pDRuU19TV9qWn8BP3/37M=',504,'3c3d0d555aea419e854200bfd2f2c318');
INSERT INTO "chat_renderedtext" VALUES(6,'content','9759d2a3d968f64142e3df0b164ebd144682b9278f663a1f38de9696aa098331','eAFtUjFu3DAQ/Mo84CABKQNCgA2kSBOkSJNyJa5ERjwtTVIn6AuBO1d247/5BXlClro4ToIAaijO7MzO0Lh33ScpnDEmOaM4RvGWEfzC+PF8/920ijCx++J8hn4VYfksOIvlgByZZr9MDT5iXmSDKC+v/TceCjYO4QRarF5uPgRQ2GjPyLQfczKdVc4pPYN6Wcvb36huYmnwVVZsSQ2+N23sTB9kmO9WPVdPnwMtINytngss7Q1uGX3yPDYHuv0bfltvwn6qKkuDGzgJdqRcXveKlApkxMwhKogKpuTjdeekwtddagKJKcty2E2sA4ZqZBwlWRRBz4u9+l1DZ4LvKsXkkmSZuhqvaX8dNMWLZs8XTvsRxMm0iv+X0wf6kzSJcjZfHHz5P+F1szehXDT5Bi9PD1eFtlpzqcZ4owVlOZbZqHDCMb/WQRN5TerDb3u1pgvXvGaO5YTN+cFV99BisWtZw9Gp1ISs2mvqI3qsbfwEAJ/cYg==',500,'f60b13e8bc8746a9a663254fb87d92b9');
INSERT INTO "chat_renderedtext" VALUES(7,'content','b124a4e7b47f0702809c67acd335e32bfbc76603f55aae5ff03db38169ce3e39','eAGzKbALzyzJyC8tUcgs0bPRL7ADADy4BiM=',36,'3218d80f2cb14388b0dc1bef32e9dbd9');
INSERT INTO "chat_renderedtext" VALUES(8,'content','bc8ad5facd48c88f33df3f180920f33feadec5878184e84d61e8c3177531ba1e','eAGzKbDzSMxJU0jMA6Li8tQiG/0COwBNfwce',36,'43b5c595d2674f329f894192abc138b0');
INSERT INTO "chat_renderedtext" VALUES(9,'content','a4bfaea63b905509f36dabbd9e7ff0037050b46ad02673ff67cacc8beb07c8df','eAFtUjuO3TAMvAoP8GADW24EL/K6bVIFCFLKz7QtWBa9FP0M3yJAum32bjlBjpDRe17kg3SShkNyZuTGh+bL6I1sZLqsqpyMWg1pyK4G5pbmk7TS7WTqQ+KOZv5Az7T5TDnMS9zJ8dxsGsw4uRrnis6rocSrhivTEvjC1O7HIYaJyaedBBOVlNHiRFlol5UuPlFmplE2kgQWj/7KuaKvAH2euHt09dK4NsplelnFuCz4nI5mm2iXH2kb9yc6g62B++pGqP9mnAtS5mKHVNFHDIxd77NRyDcnFq9G0tPEccED/Bk0LHdMMfsECd2tUtlnSccRDYoE3/fYhEwgIB0rr7FxMTTFZpdNJQ2NhY5dfVxoFiglvrLuNsL/k6tR/y+njf5P0iDgbMFGCvZ/wruy34Oy+R2W/nj9fp9Ql9VGLU5+LkphgY8RAU5JtrvQYAQhCH9DZgxoZo9/gmcT2JcnPCDDmW+bE8dcMu7KPwlo1fIQECzwO7/gFf18+/ZawvkFkWDi2A==',520,'c02a8dc768fc4f3da98bf468cb12a187');
INSERT INTO "chat_renderedtext" VALUES(10,'content','115fe08be02212637137c80af09db4403e0016d415a9a4d0e9c21ffc196c2e2c','eAGzKbDzLFHISCxWKMlIVchJzUsvyVDIT1NIVCjJLMlJ1bPRL7ADAOB9DAY=',60,'c633b704bb4c4ccc8b82990385a6b875');
INSERT INTO "chat_renderedtext" VALUES(11,'content','4db096e99db37c7b4e76b555895f819941b3bcd9d444f651c30d6f765308a66e','eAEdzFEKwyAQRdGtPPwuzQJiXEU3IMmDCMaRmcGQ3df2+15O7OlzEsaMYjiZx/OCCYpjl4uGmp3vuPQUjzKw12y2hblfASqVW2jiDMn/iA4qlOZZncfklCt+Sdnrg5vNIS0uk0pfDioqiQ==',144,'fafa797cd25b40bf8073427e708bbb0b');
CREATE TABLE "django_admin_log" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "object_id" text NULL, "object_repr" varchar(200) NOT NULL, "action_flag" smallint unsigned NOT NULL CHECK ("action_flag" >= 0), "change_message" text NOT NULL, "content_type_id" integer NULL REFERENCES "django_content_type" ("id") DEFERRABLE INITIALLY DEFERRED, "user_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "action_time" datetime NOT NULL);
INSERT INTO "django_admin_log" VALUES(1,'1','sober-1',1,'[{"added": {}}]',7,1,'2026-11-29 01:15:41.341449');
CREATE TABLE "django_content_type" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app_label" varchar(100) NOT NULL, "model" varchar(100) NOT NULL);
INSERT INTO "django_content_type" VALUES(1,'accounts','user');
INSERT INTO "django_content_type" VALUES(2,'accounts','apikey');
INSERT INTO "django_content_type" VALUES(3,'accounts','listedmodel');
INSERT INTO "django_content_type" VALUES(4,'accounts','cacheentry');
INSERT INTO "django_content_type" VALUES(5,'chat','conversation');
INSERT INTO "django_content_type" VALUES(6,'chat','message');
INSERT INTO "django_content_type" VALUES(7,'chat','modeloverride');
INSERT INTO "django_content_type" VALUES(8,'chat','refusedparameter');
INSERT INTO "django_content_type" VALUES(9,'chat','renderedtext');
INSERT INTO "django_content_type" VALUES(10,'streaming','worker');
INSERT INTO "django_content_type" VALUES(11,'streaming','stream');
INSERT INTO "django_content_type" VALUES(12,'streaming','streamchunk');
INSERT INTO "django_content_type" VALUES(13,'account','emailaddress');
INSERT INTO "django_content_type" VALUES(14,'account','emailconfirmation');
INSERT INTO "django_content_type" VALUES(15,'admin','logentry');
INSERT INTO "django_content_type" VALUES(16,'auth','permission');
INSERT INTO "django_content_type" VALUES(17,'auth','group');
INSERT INTO "django_content_type" VALUES(18,'contenttypes','contenttype');
INSERT INTO "django_content_type" VALUES(19,'sessions','session');
CREATE TABLE "django_migrations" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "app" varchar(255) NOT NULL, "name" varchar(255) NOT NULL, "applied" datetime NOT NULL);
INSERT INTO "django_migrations" VALUES(1,'contenttypes','0001_initial','2026-11-29 01:15:33.103098');
INSERT INTO "django_migrations" VALUES(2,'contenttypes','0002_remove_content_type_name','2026-11-29 01:15:33.120838');
INSERT INTO "django_migrations" VALUES(3,'auth','0001_initial','2026-11-29 01:15:33.148627');
INSERT INTO "django_migrations" VALUES(4,'auth','0002_alter_permission_name_max_length','2026-11-29 01:15:33.166660');
INSERT INTO "django_migrations" VALUES(5,'auth','0003_alter_user_email_max_length','2026-11-29 01:15:33.170174');
INSERT INTO "django_migrations" VALUES(6,'auth','0004_alter_user_username_opts','2026-11-29 01:15:33.193479');
INSERT INTO "django_migrations" VALUES(7,'auth','0005_alter_user_last_login_null','2026-11-29 01:15:33.201929');
INSERT INTO "django_migrations" VALUES(8,'auth','0006_require_contenttypes_0002','2026-11-29 01:15:33.211678');
INSERT INTO "django_migrations" VALUES(9,'auth','0007_alter_validators_add_error_messages','2026-11-29 01:15:33.216670');
INSERT INTO "django_migrations" VALUES(10,'auth','0008_alter_user_username_max_length','2026-11-29 01:15:33.228134');
INSERT INTO "django_migrations" VALUES(11,'auth','0009_alter_user_last_name_max_length','2026-11-29 01:15:33.257200');
INSERT INTO "django_migrations" VALUES(12,'auth','0010_alter_group_name_max_length','2026-11-29 01:15:33.281537');
INSERT INTO "django_migrations" VALUES(13,'auth','0011_update_proxy_permissions','2026-11-29 01:15:33.304375');
INSERT INTO "django_migrations" VALUES(14,'auth','0012_alter_user_first_name_max_length','2026-11-29 01:15:33.318922');
INSERT INTO "django_migrations" VALUES(15,'accounts','0001_initial','2026-11-29 01:15:33.386062');
INSERT INTO "django_migrations" VALUES(16,'account','0001_initial','2026-11-29 01:15:33.459097');
INSERT INTO "django_migrations" VALUES(17,'account','0002_email_max_length','2026-11-29 01:15:33.506872');
INSERT INTO "django_migrations" VALUES(18,'account','0003_alter_emailaddress_create_unique_verified_email','2026-11-29 01:15:33.544058');
INSERT INTO "django_migrations" VALUES(19,'account','0004_alter_emailaddress_drop_unique_email','2026-11-29 01:15:33.557791');
INSERT INTO "django_migrations" VALUES(20,'account','0005_emailaddress_idx_upper_email','2026-11-29 01:15:33.575134');
INSERT INTO "django_migrations" VALUES(21,'account','0006_emailaddress_lower','2026-11-29 01:15:33.586229');
INSERT INTO "django_migrations" VALUES(22,'account','0007_emailaddress_idx_email','2026-11-29 01:15:33.621427');
INSERT INTO "django_migrations" VALUES(23,'account','0008_emailaddress_unique_primary_email_fixup','2026-11-29 01:15:33.638264');
INSERT INTO "django_migrations" VALUES(24,'account','0009_emailaddress_unique_primary_email','2026-11-29 01:15:33.651469');
INSERT INTO "django_migrations" VALUES(25,'accounts','0002_cache_table','2026-11-29 01:15:33.667745');
INSERT INTO "django_migrations" VALUES(26,'accounts','0003_checked_keys','2026-11-29 01:15:33.695192');
INSERT INTO "django_migrations" VALUES(27,'accounts','0004_background_replies','2026-11-29 01:15:33.708299');
INSERT INTO "django_migrations" VALUES(28,'accounts','0005_cache_of_json','2026-11-29 01:15:33.711397');
INSERT INTO "django_migrations" VALUES(29,'admin','0001_initial','2026-11-29 01:15:33.732226');
INSERT INTO "django_migrations" VALUES(30,'admin','0002_logentry_remove_auto_add','2026-11-29 01:15:33.745443');
INSERT INTO "django_migrations" VALUES(31,'admin','0003_logentry_add_action_flag_choices','2026-11-29 01:15:33.755009');
INSERT INTO "django_migrations" VALUES(32,'streaming','0001_initial','2026-11-29 01:15:33.970639');
INSERT INTO "django_migrations" VALUES(33,'chat','0001_initial','2026-11-29 01:15:34.455703');
INSERT INTO "django_migrations" VALUES(34,'chat','0002_models_on_offer','2026-11-29 01:15:34.525664');
INSERT INTO "django_migrations" VALUES(35,'chat','0003_listed','2026-11-29 01:15:34.609778');
INSERT INTO "django_migrations" VALUES(36,'chat','0004_thought','2026-11-29 01:15:34.633721');
INSERT INTO "django_migrations" VALUES(37,'chat','0005_rendered_text','2026-11-29 01:15:34.684408');
INSERT INTO "django_migrations" VALUES(38,'sessions','0001_initial','2026-11-29 01:15:34.690034');
INSERT INTO "django_migrations" VALUES(39,'streaming','0002_room_for_updates','2026-11-29 01:15:34.720771');
INSERT INTO "django_migrations" VALUES(40,'streaming','0003_fair_turns','2026-11-29 01:15:34.793677');
INSERT INTO "django_migrations" VALUES(41,'streaming','0004_indexes_of_turns','2026-11-29 01:15:34.912267');
CREATE TABLE "django_session" ("session_key" varchar(40) NOT NULL PRIMARY KEY, "session_data" text NOT NULL, "expire_date" datetime NOT NULL);
INSERT INTO "django_session" VALUES('ylv5e6xhejt9hjezk4pz6tk89cvw55ut','.eJxVjMsOgyAURP-FdWN4CFJ39UfI5XKJpBQThW6a_nu1ceNyzsycDwPEpZXq3rSmmCg4ekHKbCwt5xtz0Ors2karS4GNTLAL84BPKkcBOR-4O3Xdf3PWW_fYE5WaEGpaynS-LqoZtnn3DIH7CFZpxUkYA95ijGit17KXRkhDfQygOQ4myrvlygeu5IBcaGskefb9AYSBR3I:1xXTWw:iCx3UxMvTDg-ZP2k_tGLMrzUgu5sFeHfSIo4vSP498Q','2026-12-13 01:16:38.638040');
INSERT INTO "django_session" VALUES('52zadv19ya3vk8y5uododko3vhryvoxx','.eJxVjMEOgyAQRP-Fc2MEdqn11v4IWWCNpBQTgV6a_nu18eJx3sy8jyDvl5arffMap8jB8otiEmNuKV2EpVZn2wqvNgYxCiVOzJF_ct4LSmnH3aHr_pujLt19S5xr9FTjkh_H66SaqcybBwzcQA7k8IpS9YPWOkhUnpiUCTqgYeUMSnDcw4TQs0MFxmnvgTAo8f0BU6VG_g:1xXTVz:597Er9usociu7OuJpK4BxOJZcXcqlc73x0iy3fciiE4','2026-12-13 01:15:39.867519');
INSERT INTO "django_session" VALUES('a3phoj1zab28hcnciscdyoulgxp5paki','.eJwdjEEOgzAMBL9i7Zmqd259ikscaqnENDaiFcrfCb3u7MyBVDkHxgMrz4IRdwyI3yrp2kK-neFBn0081ArFi4N2dvp_6CnZqpCG0141pJLrXDrQ0juLJXl3P8lit8weaAN4mmwrVxatndPJK2M:1xXTWw:rsaJTqk4JEnLMYosmogE1dv_zI1WBwpQyPqhGcbngqg','2026-11-30 01:16:38.512375');
CREATE TABLE "holdfast_cache" (
    "cache_key" varchar(255) NOT NULL PRIMARY KEY,
    "value" text NOT NULL,
    "expires" datetime NOT NULL
);
CREATE TABLE "streaming_stream" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "uuid" char(32) NOT NULL UNIQUE, "request_id" char(32) NOT NULL, "source" varchar(50) NOT NULL, "arguments" text NOT NULL CHECK ((JSON_VALID("arguments") OR "arguments" IS NULL)), "lane" varchar(64) NOT NULL, "state" varchar(12) NOT NULL, "epoch" integer unsigned NOT NULL CHECK ("epoch" >= 0), "attempts" smallint unsigned NOT NULL CHECK ("attempts" >= 0), "next_index" integer unsigned NOT NULL CHECK ("next_index" >= 0), "length" integer unsigned NOT NULL CHECK ("length" >= 0), "note" varchar(200) NOT NULL, "error_class" varchar(50) NOT NULL, "error" text NOT NULL, "error_detail" text NOT NULL, "finish_reason" varchar(30) NOT NULL, "usage" text NOT NULL CHECK ((JSON_VALID("usage") OR "usage" IS NULL)), "upstream_id" varchar(200) NOT NULL, "upstream_cursor" varchar(200) NOT NULL, "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "claimed_at" datetime NULL, "first_chunk_at" datetime NULL, "last_chunk_at" datetime NULL, "ended_at" datetime NULL, "folded_at" datetime NULL, "owner_id" bigint NOT NULL REFERENCES "accounts_user" ("id") DEFERRABLE INITIALLY DEFERRED, "worker_id" char(32) NULL REFERENCES "streaming_worker" ("id") DEFERRABLE INITIALLY DEFERRED, "pool" varchar(20) DEFAULT '' NOT NULL, "size" integer unsigned DEFAULT 0 NOT NULL CHECK ("size" >= 0), "continues_id" bigint NULL REFERENCES "streaming_stream" ("id") DEFERRABLE INITIALLY DEFERRED, CONSTRAINT "stream_once_per_request" UNIQUE ("owner_id", "request_id"), CONSTRAINT "stream_known_state" CHECK ("state" IN ('queued', 'running', 'completed', 'stopped', 'failed', 'interrupted')), CONSTRAINT "stream_ended_or_not" CHECK ((("ended_at" IS NULL AND "state" IN ('queued', 'running')) OR (NOT ("state" IN ('queued', 'running')) AND "ended_at" IS NOT NULL))));
INSERT INTO "streaming_stream" VALUES(1,'5ff0a42f60574f4e90bc46bb403c8755','9b47f44d84b1428cbfddd5874beaccde','chat','{"message": "f60b13e8-bc87-46a9-a663-254fb87d92b9", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 13, "reserve": 8192, "window": 0}}','094c86a1-0070-44cd-8d3d-c4909a849ecc','completed',1,0,49,498,'','','','','stop','{"input": 6, "output": 109}','','','2026-11-29 01:15:41.444','2026-11-29 01:15:41.493','2026-11-29 01:15:41.545','2026-11-29 01:15:41.814','2026-11-29 01:15:41.814','2026-11-29 01:16:38.250',1,'14c9310e38774a38a317d1347897bbc7','demo',27,NULL);
INSERT INTO "streaming_stream" VALUES(2,'299c290870024c5387cec4be2d3f3fab','73877f68cc2c45039b9efa7aa1eb3eb6','chat','{"message": "218b5013-814e-41a3-84f3-957a860a700b", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 16, "reserve": 8192, "window": 0}}','af8648f2-5695-47db-a62a-1bf3d297388d','completed',1,0,86,506,'','','','','stop','{"input": 8, "output": 111}','','','2026-11-29 01:15:41.952','2026-11-29 01:15:42.051','2026-11-29 01:15:42.076','2026-11-29 01:15:42.357','2026-11-29 01:15:42.358','2026-11-29 01:16:38.257',1,'14c9310e38774a38a317d1347897bbc7','demo',36,NULL);
INSERT INTO "streaming_stream" VALUES(3,'d380d6530d964f89a75eeae86f5d3db2','32f80ca801b34afdb441328464884eeb','chat','{"message": "c02a8dc7-68fc-4f3d-a98b-f468cb12a187", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 14, "reserve": 8192, "window": 0}}','af8648f2-5695-47db-a62a-1bf3d297388d','completed',1,0,77,519,'','','','','stop','{"input": 6, "output": 115}','','','2026-11-29 01:15:42.461','2026-11-29 01:15:42.492','2026-11-29 01:15:42.519','2026-11-29 01:15:42.807','2026-11-29 01:15:42.807','2026-11-29 01:16:38.268',1,'14c9310e38774a38a317d1347897bbc7','demo',30,NULL);
INSERT INTO "streaming_stream" VALUES(4,'10f873a7550c4ac9b60a4177b015dcde','78bafa6ce3124a13a18f82a702cd5f43','chat','{"message": "3c3d0d55-5aea-419e-8542-00bfd2f2c318", "model": "demo-fast", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 16, "reserve": 8192, "window": 0}}','af8648f2-5695-47db-a62a-1bf3d297388d','completed',1,0,85,506,'','','','','stop','{"input": 8, "output": 111}','','','2026-11-29 01:15:42.874','2026-11-29 01:15:42.969','2026-11-29 01:15:42.984','2026-11-29 01:15:43.259','2026-11-29 01:15:43.259','2026-11-29 01:16:38.271',1,'14c9310e38774a38a317d1347897bbc7','demo',0,NULL);
INSERT INTO "streaming_stream" VALUES(5,'36fc633a05254179b391d86a653130e6','de94ac7393bf400fa08eb7a9dcd0cc7c','chat','{"message": "ef3254a5-c5ef-454c-824d-37af008f11e9", "model": "demo", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 10, "reserve": 8192, "window": 0}}','a8dbef4b-70fa-495b-a753-a1d42b57678b','stopped',1,0,1,1,'','','','','','{}','','','2026-11-29 01:15:43.286','2026-11-29 01:15:43.398','2026-11-29 01:15:43.512','2026-11-29 01:15:43.512','2026-11-29 01:15:43.528','2026-11-29 01:16:38.280',1,'14c9310e38774a38a317d1347897bbc7','demo',18,NULL);
INSERT INTO "streaming_stream" VALUES(6,'d5b6e8e24e424ac48ef6131b09e622af','3c28b5efe06b4183b17654e3c9a03434','chat','{"message": "fafa797c-d25b-40bf-8073-427e708bbb0b", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 11, "reserve": 8192, "window": 1000000}}','4dae8397-4bdc-4ff3-8f42-c16bd48d4778','stopped',1,0,2,18,'','','','','','{}','','','2026-11-29 01:15:43.630','2026-11-29 01:15:43.685','2026-11-29 01:15:43.712','2026-11-29 01:15:43.712','2026-11-29 01:15:43.725','2026-11-29 01:16:38.282',1,'14c9310e38774a38a317d1347897bbc7','',20,NULL);
INSERT INTO "streaming_stream" VALUES(7,'60e9187e89904463b3f4603d779d142f','29eebbeb415d4b019938ea69c1f5ded6','chat','{"message": "fafa797c-d25b-40bf-8073-427e708bbb0b", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 3, "left_out": 0, "refers_back": false, "tokens": 116, "reserve": 8192, "window": 1000000}}','4dae8397-4bdc-4ff3-8f42-c16bd48d4778','completed',1,0,4,35,'','','','','stop','{"input": 11, "output": 7, "reasoning": 0, "cached": 0}','req_fake','','2026-11-29 01:15:43.822','2026-11-29 01:15:43.874','2026-11-29 01:15:43.933','2026-11-29 01:15:43.933','2026-11-29 01:15:43.935','2026-11-29 01:16:38.286',1,'14c9310e38774a38a317d1347897bbc7','',47,6);
INSERT INTO "streaming_stream" VALUES(8,'912231888b3646e28ce45a7bb2e4f772','c362c6519f9d48a0bae13e38a92ef48e','title','{"message": "fafa797c-d25b-40bf-8073-427e708bbb0b", "model": "gpt-5.5"}','4dae8397-4bdc-4ff3-8f42-c16bd48d4778 title','completed',1,0,1,18,'','','','','stop','{"input": 11, "output": 7, "reasoning": 0, "cached": 0}','req_fake','','2026-11-29 01:15:43.942','2026-11-29 01:15:44.071','2026-11-29 01:15:44.104','2026-11-29 01:15:44.104','2026-11-29 01:15:44.110','2026-11-29 01:16:38.291',1,'14c9310e38774a38a317d1347897bbc7','',0,NULL);
INSERT INTO "streaming_stream" VALUES(9,'6d36d8ebc1c34d8ea8f76d5ee1eff29d','34dfd5c0b57549a3a1f5241698a2a9a7','chat','{"message": "9a8fab41-aaf8-4f3b-9d09-ad88eafdde24", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 10, "reserve": 8192, "window": 1000000}}','c8cff159-4c04-4766-ba44-647206a9f840','failed',1,0,0,0,'','bad_request','The provider could not work with this request.','Error code: 400','','{}','req_fake','','2026-11-29 01:15:44.172','2026-11-29 01:15:44.252',NULL,NULL,'2026-11-29 01:15:44.278','2026-11-29 01:16:38.296',1,'14c9310e38774a38a317d1347897bbc7','',16,NULL);
INSERT INTO "streaming_stream" VALUES(10,'dc1adffe1b6048c1b6206027929cbd77','5167bf9f96344812aacfb207e0ca0794','chat','{"message": "43b5c595-d267-4f32-9f89-4192abc138b0", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 10, "reserve": 8192, "window": 1000000}}','5dcc195d-3d3f-4a09-b5bc-2799b86a3ea6','interrupted',1,0,1,14,'','interrupted','The provider''s answer ended before it was complete.','','','{}','','','2026-11-29 01:15:44.319','2026-11-29 01:15:44.395','2026-11-29 01:15:44.455','2026-11-29 01:15:44.455','2026-11-29 01:15:44.468','2026-11-29 01:16:38.302',1,'14c9310e38774a38a317d1347897bbc7','',16,NULL);
INSERT INTO "streaming_stream" VALUES(11,'1ace3c3526104a7b9502f1ab25b220d9','df182e0d245640bf96a97be3ac7aa634','chat','{"message": "3218d80f-2cb1-4388-b0dc-1bef32e9dbd9", "model": "sober-1", "max_tokens": null, "temperature": 0.3, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 7, "reserve": 8192, "window": 0}}','14335f16-3f6d-4f90-b349-033a004a2ddc','completed',1,0,1,11,'','','','','stop','{"input": 11, "output": 7, "reasoning": 0, "cached": 0}','req_fake','','2026-11-29 01:15:44.570','2026-11-29 01:15:44.620','2026-11-29 01:15:44.732','2026-11-29 01:15:44.732','2026-11-29 01:15:44.745','2026-11-29 01:16:38.307',1,'14c9310e38774a38a317d1347897bbc7','',9,NULL);
INSERT INTO "streaming_stream" VALUES(12,'95f31e2e57fb40d491452505c9424f6a','51c4adfeb8c04b81b6bb002b8bb26d3a','title','{"message": "3218d80f-2cb1-4388-b0dc-1bef32e9dbd9", "model": "sober-1"}','14335f16-3f6d-4f90-b349-033a004a2ddc title','completed',1,0,1,18,'','','','','stop','{"input": 11, "output": 7, "reasoning": 0, "cached": 0}','req_fake','','2026-11-29 01:15:44.789','2026-11-29 01:15:44.926','2026-11-29 01:15:44.947','2026-11-29 01:15:44.947','2026-11-29 01:15:44.952','2026-11-29 01:16:38.312',1,'14c9310e38774a38a317d1347897bbc7','',0,NULL);
INSERT INTO "streaming_stream" VALUES(14,'db43dfec0a164c5abb5bde02dd9d52c9','69e70ed79e19481895408efe87dabbc4','chat','{"message": "c633b704-bb4c-4ccc-8b82-990385a6b875", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 12, "reserve": 8192, "window": 1000000}}','2feb4a21-3cf1-46d1-9ea5-45ed9a4e8fe6','completed',1,0,1,29,'','','','','stop','{"input": 11, "output": 7, "reasoning": 0, "cached": 0}','req_fake','','2026-11-29 01:16:38.565','2026-11-29 01:16:38.618','2026-11-29 01:16:38.652','2026-11-29 01:16:38.652','2026-11-29 01:16:38.655',NULL,1,'14c9310e38774a38a317d1347897bbc7','',22,NULL);
INSERT INTO "streaming_stream" VALUES(15,'4c5dd0137b984710aca8b1844ae77532','905f31ac851840e28fa68c46029a62e2','title','{"message": "c633b704-bb4c-4ccc-8b82-990385a6b875", "model": "gpt-5.5"}','2feb4a21-3cf1-46d1-9ea5-45ed9a4e8fe6 title','running',1,0,0,0,'','','','','','{}','','','2026-11-29 01:16:38.663','2026-11-29 01:16:38.776',NULL,NULL,NULL,NULL,1,'14c9310e38774a38a317d1347897bbc7','',0,NULL);
INSERT INTO "streaming_stream" VALUES(16,'b9d44d5dc83c45239b587619f50deea8','9e1754c4b7e7497d97b12f652b4a1386','chat','{"message": "633c7cec-5e1b-4e83-bab0-dafd3d2fd207", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 11, "reserve": 8192, "window": 1000000}}','4bac73e1-04d7-4ddf-9a4d-dd243fd2b793','running',1,0,1,58,'','','','','','{}','','','2026-11-29 01:16:38.894','2026-11-29 01:16:38.958','2026-11-29 01:16:39.007','2026-11-29 01:16:39.007',NULL,NULL,1,'14c9310e38774a38a317d1347897bbc7','',21,NULL);
INSERT INTO "streaming_stream" VALUES(17,'b69b53975ff549d8a2a62b07482efa27','ed2a4f3bf2bb47f886a3d6357659fee4','chat','{"message": "256c72f1-f4e1-4ba8-bae6-524bfea9e7f0", "model": "gpt-5.5", "max_tokens": 345, "temperature": null, "system_prompt": "Answer as a sailor.", "reasoning_effort": "low"}','4bac73e1-04d7-4ddf-9a4d-dd243fd2b793','queued',0,0,0,0,'Waiting for the reply before this one','','','','','{}','','','2026-11-29 01:16:39.051',NULL,NULL,NULL,NULL,NULL,1,NULL,'',28,NULL);
INSERT INTO "streaming_stream" VALUES(18,'218fc4fa12ec40daa7ecd25446cd04b3','a3e6259d205a4e2696ad816b2d3cebd0','chat','{"message": "ff13fe1b-7860-4767-98be-a828b6bcd1db", "model": "gpt-5.5", "max_tokens": null, "temperature": null, "system_prompt": "", "reasoning_effort": "", "context": {"turns": 1, "left_out": 0, "refers_back": false, "tokens": 11, "reserve": 8192, "window": 1000000}}','89d75168-39b9-472a-836a-960d0e067933','running',1,0,1,58,'','','','','','{}','resp_00000014','5','2026-11-29 01:16:39.223','2026-11-29 01:16:39.255','2026-11-29 01:16:39.293','2026-11-29 01:16:39.293',NULL,NULL,2,'14c9310e38774a38a317d1347897bbc7','',20,NULL);
CREATE TABLE "streaming_streamchunk" ("stream_id" bigint NOT NULL, "index" integer unsigned NOT NULL CHECK ("index" >= 0), "offset" integer unsigned NOT NULL CHECK ("offset" >= 0), "created_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "kind" smallint unsigned NOT NULL CHECK ("kind" >= 0), "delta" text NOT NULL, PRIMARY KEY ("stream_id", "index"));
INSERT INTO "streaming_streamchunk" VALUES(14,0,0,'2026-11-29 01:16:38.653',0,'It has the length of a title.');
INSERT INTO "streaming_streamchunk" VALUES(16,0,0,'2026-11-29 01:16:39.007',0,'High tide comes hours after the moon has passed overhead, ');
INSERT INTO "streaming_streamchunk" VALUES(18,0,0,'2026-11-29 01:16:39.293',0,'High tide comes hours after the moon has passed overhead, ');
CREATE TABLE "streaming_worker" ("id" char(32) NOT NULL PRIMARY KEY, "name" varchar(100) NOT NULL, "started_at" datetime DEFAULT (STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')) NOT NULL, "lease_until" datetime NOT NULL, "draining" bool NOT NULL);
INSERT INTO "streaming_worker" VALUES('14c9310e38774a38a317d1347897bbc7','vm 13258','2026-11-29 01:15:38.137','2026-11-29 01:16:50.531000',0);
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
CREATE INDEX "accounts_cacheentry_expires_at_61309eed" ON "accounts_cacheentry" ("expires_at");
CREATE INDEX "django_admin_log_content_type_id_c4bce8eb" ON "django_admin_log" ("content_type_id");
CREATE INDEX "django_admin_log_user_id_c564eba6" ON "django_admin_log" ("user_id");
CREATE INDEX "streaming_worker_lease_until_1491741a" ON "streaming_worker" ("lease_until");
CREATE INDEX "chat_message_conversation_id_a1207bf4" ON "chat_message" ("conversation_id");
CREATE INDEX "chat_message_stream_id_a0681016" ON "chat_message" ("stream_id");
CREATE INDEX "chat_message_parent_id_d93c704f" ON "chat_message" ("parent_id");
CREATE INDEX "chat_conversation_user_id_15357b84" ON "chat_conversation" ("user_id");
CREATE INDEX "chat_conversation_leaf_id_c8407b41" ON "chat_conversation" ("leaf_id");
CREATE INDEX "conversation_newest" ON "chat_conversation" ("user_id", "updated_at" DESC);
CREATE INDEX "conversation_status" ON "chat_conversation" ("status");
CREATE INDEX "conversation_deleted" ON "chat_conversation" ("deleted_at") WHERE "deleted_at" IS NOT NULL;
CREATE INDEX "chat_renderedtext_message_id_22a04978" ON "chat_renderedtext" ("message_id");
CREATE INDEX "django_session_expire_date_a5c62663" ON "django_session" ("expire_date");
CREATE INDEX "streaming_stream_owner_id_9d23e19f" ON "streaming_stream" ("owner_id");
CREATE INDEX "streaming_stream_worker_id_977f3c60" ON "streaming_stream" ("worker_id");
CREATE INDEX "streaming_stream_continues_id_61a5baeb" ON "streaming_stream" ("continues_id");
CREATE INDEX "stream_unfinished" ON "streaming_stream" ("id") WHERE "ended_at" IS NULL;
CREATE INDEX "stream_lane" ON "streaming_stream" ("lane", "id") WHERE "ended_at" IS NULL;
CREATE INDEX "stream_foldable" ON "streaming_stream" ("ended_at") WHERE "folded_at" IS NULL;
CREATE INDEX "stream_turns" ON "streaming_stream" ("state", "owner_id", "id") WHERE "ended_at" IS NULL;
CREATE INDEX "stream_recent" ON "streaming_stream" ("owner_id", "created_at");
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('django_migrations',41);
INSERT INTO "sqlite_sequence" VALUES('django_content_type',19);
INSERT INTO "sqlite_sequence" VALUES('auth_permission',76);
INSERT INTO "sqlite_sequence" VALUES('auth_group',0);
INSERT INTO "sqlite_sequence" VALUES('accounts_apikey',2);
INSERT INTO "sqlite_sequence" VALUES('account_emailaddress',2);
INSERT INTO "sqlite_sequence" VALUES('accounts_user',2);
INSERT INTO "sqlite_sequence" VALUES('django_admin_log',1);
INSERT INTO "sqlite_sequence" VALUES('streaming_stream',18);
INSERT INTO "sqlite_sequence" VALUES('accounts_listedmodel',8);
INSERT INTO "sqlite_sequence" VALUES('chat_modeloverride',1);
INSERT INTO "sqlite_sequence" VALUES('chat_renderedtext',11);
INSERT INTO "sqlite_sequence" VALUES('chat_refusedparameter',1);
COMMIT;
